import type { IncomingMessage, RequestListener } from 'node:http';
import { RequestError } from '../errors.ts';
import { uuidV7 } from '../uuid-v7.ts';
import { Ending } from './ending.ts';
import { errorFacts, type Logger } from './log.ts';
import type { Metrics } from './metrics.ts';
import { refusal } from './refusal.ts';
import { type Exchange, findRoute, type Route } from './route.ts';
import { type Answer, sendAnswer } from './send-answer.ts';

export interface ListenerOptions {
  /** The first that fits answers. */
  readonly routes: readonly Route[];
  readonly corsOrigins: readonly string[];
  /** Development: only a loopback `Host` is answered, or any page could reach the service by a name that it controls. */
  readonly loopbackOnly: boolean;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Whether no connection is accepted any more: then each ends with its next answer. */
  readonly isStopping: () => boolean;
}

const LOOPBACK_HOST = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?$/i;

/** What all doors have in common: every request gets an id, an answer, a line in the log and its place in the metrics. */
export function createListener(options: ListenerOptions): RequestListener {
  const { log, metrics } = options;
  return (request, response) => {
    const started = performance.now();
    const route = findRoute(options.routes, request);
    const exchange: Exchange = {
      ...{ request, requestId: uuidV7(), ending: new Ending() },
      route: route?.path ?? 'other',
    };
    const { requestId, ending } = exchange;
    // Whatever comes of it: afterwards nobody is there to be told more.
    response.once('close', () => ending.end('closed'));
    answerTo(options, route, exchange)
      .catch((error: unknown) => refusal(error, requestId, log, route))
      .then(async (answer) => {
        if (options.isStopping()) response.shouldKeepAlive = false;
        const sent = await sendAnswer(options.corsOrigins, request, response, answer, ending);
        const milliseconds = Math.round(performance.now() - started);
        const { status } = answer;
        const { route: path } = exchange;
        // How long a stream was open says nothing of how fast the service answers.
        if (sent === null) metrics.observe(path, status, milliseconds);
        log.info({ requestId, path, status, milliseconds, ...sent }, sent ? 'stream ended' : 'request');
      })
      .catch((error: unknown) => {
        log.error({ requestId, ...errorFacts(error) }, 'answer not sent');
        response.destroy();
      });
  };
}

async function answerTo(
  { loopbackOnly }: ListenerOptions,
  route: Route | undefined,
  exchange: Exchange,
): Promise<Answer> {
  if (loopbackOnly) requireLoopback(exchange.request);
  if (!route) throw new RequestError('NOT_FOUND', 'There is nothing here: GraphQL is at /graphql.');
  return route.handle(exchange);
}

function requireLoopback({ headers }: IncomingMessage): void {
  if (LOOPBACK_HOST.test(headers.host ?? '')) return;
  throw new RequestError('MISDIRECTED_REQUEST', 'In development the Host must be a loopback name.');
}
