import type { IncomingMessage } from 'node:http';
import type { RequestError } from '../errors.ts';
import type { Ending } from './ending.ts';
import type { Answer } from './send-answer.ts';

/** One request while it is answered. */
export interface Exchange {
  readonly request: IncomingMessage;
  /** Made here, never taken from a header. */
  readonly requestId: string;
  /** Ends the answer where that is a stream. */
  readonly ending: Ending;
  /** What the log and the metrics call the route. A door may be more exact, and never uses text of the client. */
  route: string;
}

/** What answers some requests. A door is a list of these. */
export interface Route {
  /** null: any method. */
  readonly method: string | null;
  /** The exact path; with `/*` at its end, all paths that begin so. */
  readonly path: string;
  /** Which of these requests it answers. Left out: all. */
  readonly accepts?: (request: IncomingMessage) => boolean;
  readonly handle: (exchange: Exchange) => Promise<Answer>;
  /** The methods that the path has, where this route answers all others with METHOD_NOT_ALLOWED. */
  readonly allow?: string;
  /** The JSON that tells an error. Left out: as GraphQL tells it. */
  readonly errorBody?: (error: RequestError, requestId: string) => object;
}

/** The first route of the table that answers the request. */
export function findRoute(routes: readonly Route[], request: IncomingMessage): Route | undefined {
  const [path = ''] = (request.url ?? '').split('?', 1);
  return routes.find(
    (route) =>
      (route.method === null || route.method === request.method) &&
      (route.path.endsWith('/*') ? path.startsWith(route.path.slice(0, -1)) : path === route.path) &&
      (route.accepts?.(request) ?? true),
  );
}
