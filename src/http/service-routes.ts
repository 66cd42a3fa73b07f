import type { Metrics } from './metrics.ts';
import type { Route } from './route.ts';
import type { Answer } from './send-answer.ts';

/** What an operator's tools ask, by whatever method: whether the service lives, whether it can work, and its metrics. */
export function serviceRoutes(ready: () => Promise<boolean>, metrics: Metrics): readonly Route[] {
  return [
    { method: null, path: '/health', handle: () => Promise.resolve(text(200, 'ok\n')) },
    {
      ...{ method: null, path: '/ready' },
      handle: async () => ((await ready()) ? text(200, 'ready\n') : text(503, 'not ready\n')),
    },
    {
      ...{ method: null, path: '/metrics' },
      handle: async () => text(200, await metrics.text(), metrics.contentType),
    },
  ];
}

function text(status: number, body: string, contentType = 'text/plain; charset=utf-8'): Answer {
  return { status, headers: { 'content-type': contentType }, body };
}
