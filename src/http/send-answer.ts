import type { IncomingMessage, ServerResponse } from 'node:http';
import type { RequestError } from '../errors.ts';
import type { Ending } from './ending.ts';

/** Writes a stream to its end, head included. `end` gives the client up, for a reason. Returns how many results were written. */
export type WriteStream = (
  response: ServerResponse,
  headers: Readonly<Record<string, string>>,
  end: (reason: RequestError) => void,
) => Promise<number>;

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | WriteStream;
}

const COMMON_HEADERS = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
} as const;

/** Writes the answer. Of a stream it returns, once it has ended, what is to be logged of it; else null. */
export async function sendAnswer(
  corsOrigins: readonly string[],
  request: IncomingMessage,
  response: ServerResponse,
  { status, headers, body }: Answer,
  ending: Ending,
): Promise<{ readonly results: number } | null> {
  const all = { ...COMMON_HEADERS, ...headers, ...corsHeaders(corsOrigins, request) };
  if (typeof body === 'string') {
    response.writeHead(status, status === 204 ? all : { ...all, 'content-length': Buffer.byteLength(body) });
    response.end(body);
    return null;
  }
  return { results: await body(response, all, (reason) => ending.end(reason)) };
}

function corsHeaders(origins: readonly string[], request: IncomingMessage): Record<string, string> {
  const { origin } = request.headers;
  if (origins.length === 0) return {};
  if (origin === undefined || !origins.includes(origin)) return { vary: 'Origin' };
  return {
    vary: 'Origin',
    'access-control-allow-origin': origin,
    'access-control-allow-methods': 'POST',
    'access-control-allow-headers': 'authorization, content-type, x-project-identity',
    'access-control-max-age': '600',
    'cross-origin-resource-policy': 'cross-origin',
  };
}
