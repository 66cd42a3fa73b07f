import type { IncomingMessage } from 'node:http';
import { RequestError } from '../../errors.ts';
import { EVENT_STREAM } from './event-stream.ts';

const JSON_RANGE =
  /^\s*(application\/(?:graphql-response\+json|json|\*)|\*\/\*)\s*(?:;(?!\s*charset=(?!"?utf-8"?\s*(?:;|$))).*)?$/i;
const STREAM_TYPE = /^\s*text\/event-stream\s*(;|$)/i;

export type JsonType = 'application/graphql-response+json' | 'application/json';

/** What the client accepts of the media types that there are. */
export interface AcceptedTypes {
  /** The one that it names first; null: none. */
  readonly json: JsonType | null;
  readonly stream: boolean;
}

/** Reads `Accept`. Throws NOT_ACCEPTABLE where the client accepts none. */
export function acceptedTypes(request: IncomingMessage): AcceptedTypes {
  const ranges = (request.headers.accept ?? '*/*').split(',');
  const json = jsonType(ranges);
  const stream = ranges.some((range) => STREAM_TYPE.test(range));
  if (json !== null || stream) return { json, stream };
  throw new RequestError(
    'NOT_ACCEPTABLE',
    `The answer is application/graphql-response+json, application/json or ${EVENT_STREAM}.`,
  );
}

function jsonType(ranges: readonly string[]): JsonType | null {
  for (const range of ranges) {
    const [, type] = JSON_RANGE.exec(range) ?? [];
    if (type) {
      return type.toLowerCase() === 'application/graphql-response+json'
        ? 'application/graphql-response+json'
        : 'application/json';
    }
  }
  return null;
}
