import { setTimeout as sleep } from 'node:timers/promises';
import type { TestApp } from './test-app.ts';

interface Result {
  readonly data?: unknown;
  readonly errors?: readonly {
    readonly message: string;
    readonly extensions: Readonly<Record<string, unknown>>;
  }[];
}

/** The answer to a subscription, as it comes: also what no client would send, and what is no stream. */
export interface OpenStream {
  readonly status: number;
  readonly headers: Headers;
  /** All that came so far. */
  readonly text: () => string;
  readonly results: () => readonly Result[];
  /** Whether it has ended, within the time. A refusal ends at once. */
  endsWithin(milliseconds: number): Promise<boolean>;
  drop(): void;
}

export async function openStream(
  app: TestApp,
  query: string,
  variables: unknown,
  headers: Readonly<Record<string, string>>,
): Promise<OpenStream> {
  const control = new AbortController();
  const response = await fetch(`${app.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'text/event-stream', ...headers },
    body: JSON.stringify({ query, variables }),
    signal: control.signal,
  });
  let text = '';
  const whole = (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) text += decoder.decode(chunk, { stream: true });
  })().catch(() => undefined);
  const ended = whole.then(() => true);
  return {
    ...{ status: response.status, headers: response.headers, text: () => text },
    results: () => {
      if (!response.headers.get('content-type')?.startsWith('text/event-stream'))
        return [JSON.parse(text) as Result];
      return [...text.matchAll(/^data: ?(\{.*\})$/gm)].map(([, json]) => JSON.parse(json ?? '') as Result);
    },
    endsWithin: (milliseconds) => Promise.race([ended, sleep(milliseconds, false)]),
    drop: () => control.abort(),
  };
}
