import type { IncomingMessage } from 'node:http';
import { RequestError } from '../errors.ts';
import { EVENT_STREAM } from './use-event-streams.ts';

const JSON_RANGE = /^\s*(application\/(graphql-response\+json|json|\*)|\*\/\*)\s*(;|$)/i;
const STREAM_TYPE = /^\s*text\/event-stream\s*(;|$)/i;

/** What the client accepts of the media types that there are. Throws NOT_ACCEPTABLE where that is none. */
export function acceptedTypes(request: IncomingMessage): string {
  const ranges = (request.headers.accept ?? '*/*').split(',');
  const accepted = ranges.filter((range) => JSON_RANGE.test(range) || STREAM_TYPE.test(range));
  if (accepted.length > 0) return accepted.join(',').toLowerCase();
  throw new RequestError(
    'NOT_ACCEPTABLE',
    `The answer is application/graphql-response+json, application/json or ${EVENT_STREAM}.`,
  );
}
