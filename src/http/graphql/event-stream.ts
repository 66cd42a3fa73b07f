import type { ServerResponse } from 'node:http';
import type { ExecutionResult } from 'graphql';
import { RequestError } from '../../errors.ts';
import { withoutHttp } from './public-results.ts';

export const EVENT_STREAM = 'text/event-stream';

export interface StreamTiming {
  /** How often a comment is sent, so that nobody between takes the connection for dead. */
  readonly keepAliveMs: number;
  /** How long a client may take nothing of what was sent. */
  readonly stallMs: number;
  /** How long a client may take over the end of a stream. */
  readonly lingerMs: number;
}

export const STREAM_TIMING: StreamTiming = { keepAliveMs: 15_000, stallMs: 30_000, lingerMs: 10_000 };

const HEADERS = {
  'content-type': `${EVENT_STREAM}; charset=utf-8`,
  // Once it has ended, nothing keeps the connection, nor a gateway that is to stop.
  connection: 'close',
  'x-accel-buffering': 'no',
} as const;
const COMMENT = ':\n\n';
const COMPLETE = 'event: complete\ndata:\n\n';

/**
 * Writes results as GraphQL over server-sent events, distinct connections mode (PROTOCOL.md of enisdenjo/graphql-sse).
 * The next result is asked for when the client has taken the last. One that takes nothing for too long is given up:
 * `end` is called with the reason, which the results are to end with, and what does not leave then is dropped.
 * Returns how many results were written.
 */
export async function writeEventStream(
  response: ServerResponse,
  results: AsyncIterable<ExecutionResult>,
  headers: Readonly<Record<string, string>>,
  { keepAliveMs, stallMs, lingerMs }: StreamTiming,
  end: (reason: RequestError) => void,
): Promise<number> {
  let written = 0;
  let isGivenUp = false;
  response.writeHead(200, { ...headers, ...HEADERS });
  response.write(COMMENT);
  const beat = setInterval(() => {
    if (!response.destroyed && !response.writableNeedDrain) response.write(COMMENT);
  }, keepAliveMs).unref();
  try {
    for await (const result of results) {
      if (response.destroyed) return written;
      const isTaken = response.write(`event: next\ndata: ${JSON.stringify(withoutHttp(result))}\n\n`);
      written++;
      if (isTaken || isGivenUp || (await isDrained(response, stallMs))) continue;
      isGivenUp = true;
      const patience = `${stallMs / 1000} seconds`;
      end(
        new RequestError(
          'FOLLOWER_TOO_SLOW',
          `The client did not take what was sent for ${patience}: follow again with the last cursor.`,
        ),
      );
    }
  } finally {
    clearInterval(beat);
  }
  if (response.destroyed) return written;
  response.end(COMPLETE);
  if (!(await isFinished(response, lingerMs))) response.destroy();
  return written;
}

function isDrained(response: ServerResponse, milliseconds: number): Promise<boolean> {
  return happens(response, 'drain', milliseconds);
}

function isFinished(response: ServerResponse, milliseconds: number): Promise<boolean> {
  return happens(response, 'finish', milliseconds);
}

/** Whether it happens, or the connection closes, within the time. */
function happens(
  response: ServerResponse,
  event: 'drain' | 'finish',
  milliseconds: number,
): Promise<boolean> {
  if (response.destroyed) return Promise.resolve(true);
  return new Promise((resolve) => {
    const settle = (value: boolean) => {
      clearTimeout(timer);
      response.off(event, happened).off('close', happened);
      resolve(value);
    };
    const happened = () => settle(true);
    const timer = setTimeout(() => settle(false), milliseconds);
    response.once(event, happened).once('close', happened);
  });
}
