import type { IncomingMessage, RequestListener } from 'node:http';
import { record } from '../audit/record.ts';
import type { Authenticate } from '../auth/authenticate.ts';
import { ProjectMismatchError } from '../auth/project-mismatch-error.ts';
import { RequestError } from '../errors.ts';
import { zeroEntries } from '../kms/envelope/envelope.ts';
import type { Cidr } from '../policy/conditions/cidr.ts';
import { clientAddress } from '../policy/conditions/client-address.ts';
import type { Principal } from '../policy/principal.ts';
import type { Loaders } from '../resolvers/context/loaders.ts';
import type { Region, RequestContext } from '../resolvers/context/request-context.ts';
import { RequestLimits } from '../resolvers/context/request-limits.ts';
import type { Followers } from '../resolvers/events/followers.ts';
import { uuidV7 } from '../uuid-v7.ts';
import { Ending } from './ending.ts';
import { acceptedTypes } from './graphql/accepted-types.ts';
import { createGraphQL, type GraphQLServer } from './graphql/create-graphql.ts';
import type { StreamTiming } from './graphql/event-stream.ts';
import { errorFacts, type Logger } from './log.ts';
import type { Metrics } from './metrics.ts';
import { readBody } from './read-body.ts';
import { type Answer, sendAnswer } from './send-answer.ts';

export interface HandlerOptions {
  readonly authenticate: Authenticate;
  readonly regions: readonly Region[];
  readonly trustedProxies: readonly Cidr[];
  readonly graphiql: boolean;
  readonly corsOrigins: readonly string[];
  /** Development: only a loopback `Host` is answered, or any page could reach the service by a name that it controls. */
  readonly loopbackOnly: boolean;
  readonly now: () => Date;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly followers: Followers;
  readonly streamTiming: StreamTiming;
  readonly ready: () => Promise<boolean>;
  /** Whether no connection is accepted any more: then each ends with its next answer. */
  readonly isStopping: () => boolean;
}

const LOOPBACK_HOST = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?$/i;
const MAX_USER_AGENT_CHARACTERS = 256;

/** The whole of HTTP: which path answers what, and what every answer has in common. */
export function createHandler(options: HandlerOptions): RequestListener {
  const { log, metrics } = options;
  const answerTo = createRoutes(options);
  return (request, response) => {
    const requestId = uuidV7();
    const started = performance.now();
    const path = pathOf(request);
    const ending = new Ending();
    // Whatever comes of it: afterwards nobody is there to be told more.
    response.once('close', () => ending.end('closed'));
    answerTo(path, request, requestId, ending)
      .catch((error: unknown) => refusal(error, requestId, log))
      .then(async (answer) => {
        if (options.isStopping()) response.shouldKeepAlive = false;
        const sent = await sendAnswer(options, request, response, answer, ending);
        const milliseconds = Math.round(performance.now() - started);
        const { status } = answer;
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

const PATHS = ['/graphql', '/health', '/ready', '/metrics'] as const;
type Path = (typeof PATHS)[number] | 'other';

function pathOf(request: IncomingMessage): Path {
  const path = (request.url ?? '').split('?', 1)[0];
  return PATHS.find((candidate) => candidate === path) ?? 'other';
}

function createRoutes(options: HandlerOptions) {
  const graphql = createGraphQL(options.log);
  return async (path: Path, request: IncomingMessage, requestId: string, ending: Ending): Promise<Answer> => {
    if (options.loopbackOnly && !LOOPBACK_HOST.test(request.headers.host ?? '')) {
      throw new RequestError('MISDIRECTED_REQUEST', 'In development the Host must be a loopback name.');
    }
    switch (path) {
      case '/health':
        return text(200, 'ok\n');
      case '/ready':
        return (await options.ready()) ? text(200, 'ready\n') : text(503, 'not ready\n');
      case '/metrics':
        return {
          ...text(200, await options.metrics.text()),
          headers: { 'content-type': options.metrics.contentType },
        };
      case 'other':
        throw new RequestError('NOT_FOUND', 'There is nothing here: GraphQL is at /graphql.');
      case '/graphql':
        return answerGraphQL(options, graphql, request, requestId, ending);
    }
  };
}

async function answerGraphQL(
  options: HandlerOptions,
  graphql: GraphQLServer,
  request: IncomingMessage,
  requestId: string,
  ending: Ending,
): Promise<Answer> {
  if (request.method === 'OPTIONS') return { status: 204, headers: {}, body: '' };
  if (request.method === 'GET' && options.graphiql && request.headers.accept?.includes('text/html')) {
    // Its editor takes 60 MB of memory, which nobody has to spend who does not look at it.
    const { graphiqlPage } = await import('./graphiql/graphiql.ts');
    const { html, headers } = graphiqlPage();
    return { status: 200, headers: { 'content-type': 'text/html; charset=utf-8', ...headers }, body: html };
  }
  if (request.method !== 'POST')
    throw new RequestError('METHOD_NOT_ALLOWED', 'GraphQL is answered to POST only.');
  if (!/^application\/json\s*(;\s*charset="?utf-8"?\s*)?$/i.test(request.headers['content-type'] ?? '')) {
    throw new RequestError('UNSUPPORTED_MEDIA_TYPE', 'The Content-Type must be application/json.');
  }
  const { followers } = options;
  const context = {
    ...(await createContext(options, request, requestId)),
    following: { followers, ending },
  };
  const accepted = acceptedTypes(request);
  const body = await readBody(request);
  try {
    return await graphql(body, accepted, context);
  } finally {
    zeroEntries(context.openedEntries);
    body.fill(0);
  }
}

async function createContext(
  options: HandlerOptions,
  request: IncomingMessage,
  requestId: string,
): Promise<RequestContext> {
  const { regions, now } = options;
  const address = clientAddress(
    request.socket.remoteAddress,
    headerValues(request, 'x-forwarded-for'),
    options.trustedProxies,
  );
  const userAgent = request.headers['user-agent']?.slice(0, MAX_USER_AGENT_CHARACTERS) ?? null;
  const origin = { requestId, sourceIp: address, userAgent };
  const principal = await authenticated(options, request, origin);
  const loaders = new Map<Region, Loaders>();
  return {
    ...{ requestId, principal, clientAddress: address, userAgent, now, regions },
    limits: new RequestLimits(),
    loaders: (region) => {
      const made = loaders.get(region) ?? region.createLoaders(principal);
      loaders.set(region, made);
      return made;
    },
    openedEntries: [],
  };
}

/** The verified principal. One that is refused for its scope leaves an event; a token that does not verify, a count. */
async function authenticated(
  options: HandlerOptions,
  request: IncomingMessage,
  origin: { readonly requestId: string; readonly sourceIp: string | null; readonly userAgent: string | null },
): Promise<Principal> {
  try {
    return await options.authenticate(
      {
        authorization: headerValues(request, 'authorization'),
        project: headerValues(request, 'x-project-identity'),
      },
      options.now(),
    );
  } catch (error) {
    if (error instanceof RequestError) options.metrics.refuse(error.code);
    const region = options.regions[0];
    if (error instanceof ProjectMismatchError && region) {
      const { identity, requestedProject } = error;
      const event = {
        ...({
          action: 'auth.denied',
          outcome: 'DENIED',
          errorCode: error.code,
          resourceType: 'audit',
        } as const),
        ...{ resource: null, resourceId: null, version: null, details: { requestedProject }, effects: [] },
      };
      await region.db.transaction((tx) =>
        record(tx, region.name, { ...identity, project: '', ...origin }, options.now(), [event]),
      );
    }
    throw error;
  }
}

/** Every value of a header as it was received: Node would join or drop the repeated ones. */
function headerValues({ rawHeaders }: IncomingMessage, name: string): readonly string[] {
  const values: string[] = [];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const candidate = rawHeaders[at];
    if (candidate?.length === name.length && candidate.toLowerCase() === name) {
      values.push(rawHeaders[at + 1] ?? '');
    }
  }
  return values;
}

function text(status: number, body: string): Answer {
  return { status, headers: { 'content-type': 'text/plain; charset=utf-8' }, body };
}

function refusal(error: unknown, requestId: string, log: Logger): Answer {
  const told =
    error instanceof RequestError ? error : new RequestError('INTERNAL_SERVER_ERROR', 'Unexpected error.');
  if (told.code === 'UNAUTHENTICATED' && told.cause instanceof Error) {
    // Our own name of the check that failed: it holds nothing of the token.
    log.info({ requestId, reason: told.cause.message }, 'not authenticated');
  }
  if (told.status >= 500) log.error({ requestId, ...errorFacts(error) }, 'request failed');
  const body = JSON.stringify({
    errors: [{ message: told.message, extensions: { code: told.code, requestId } }],
  });
  const headers: Record<string, string> = { 'content-type': 'application/json; charset=utf-8' };
  if (told.code === 'METHOD_NOT_ALLOWED') headers['allow'] = 'POST';
  if (told.code === 'UNAUTHENTICATED') headers['www-authenticate'] = 'Bearer';
  // What is left of a body that was not read would be taken for the next request.
  if (told.code === 'PAYLOAD_TOO_LARGE') headers['connection'] = 'close';
  return { status: told.status, headers, body };
}
