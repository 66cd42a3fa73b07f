import type { IncomingMessage } from 'node:http';
import { RequestError } from '../../errors.ts';
import type { Logger } from '../log.ts';
import { withBody } from '../read-body.ts';
import type { Exchange, Route } from '../route.ts';
import type { Answer } from '../send-answer.ts';
import { type ContextOptions, withContext } from '../with-context.ts';
import { acceptedTypes } from './accepted-types.ts';
import { createGraphQL } from './create-graphql.ts';
import type { StreamTiming } from './event-stream.ts';

export interface GraphQLOptions extends ContextOptions {
  readonly log: Logger;
  readonly streamTiming: StreamTiming;
}

const PATH = '/graphql';
const JSON_TYPE = /^application\/json\s*(;\s*charset="?utf-8"?\s*)?$/i;

/** GraphQL over HTTP, and the preflight requests of browsers. */
export function graphqlRoutes(options: GraphQLOptions): readonly Route[] {
  const graphql = createGraphQL(options.log, options.streamTiming);
  const answer = async (exchange: Exchange): Promise<Answer> => {
    const { request } = exchange;
    requireJson(request);
    return withContext(options, exchange, async (ctx) => {
      const accepted = acceptedTypes(request);
      return withBody(request, (body) => graphql(body, accepted, ctx));
    });
  };
  return [
    { method: 'OPTIONS', path: PATH, handle: () => Promise.resolve({ status: 204, headers: {}, body: '' }) },
    { method: 'POST', path: PATH, handle: answer },
    { method: null, path: PATH, allow: 'POST', handle: refuseMethod },
  ];
}

function requireJson({ headers }: IncomingMessage): void {
  if (JSON_TYPE.test(headers['content-type'] ?? '')) return;
  throw new RequestError('UNSUPPORTED_MEDIA_TYPE', 'The Content-Type must be application/json.');
}

function refuseMethod(): Promise<Answer> {
  return Promise.reject(new RequestError('METHOD_NOT_ALLOWED', 'GraphQL is answered to POST only.'));
}
