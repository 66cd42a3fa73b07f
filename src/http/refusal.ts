import { RequestError } from '../errors.ts';
import { errorFacts, type Logger } from './log.ts';
import type { Route } from './route.ts';
import type { Answer } from './send-answer.ts';

/** The answer to what a route threw. What nobody expected is told as such, and the log has the rest. */
export function refusal(
  error: unknown,
  requestId: string,
  log: Logger,
  { allow, errorBody = asGraphQL }: Pick<Route, 'allow' | 'errorBody'> = {},
): Answer {
  const told =
    error instanceof RequestError ? error : new RequestError('INTERNAL_SERVER_ERROR', 'Unexpected error.');
  if (told.code === 'UNAUTHENTICATED' && told.cause instanceof Error) {
    // Our own name of the check that failed: it holds nothing of the token.
    log.info({ requestId, reason: told.cause.message }, 'not authenticated');
  }
  if (told.status >= 500) log.error({ requestId, ...errorFacts(error) }, 'request failed');
  const headers: Record<string, string> = { 'content-type': 'application/json; charset=utf-8' };
  if (told.code === 'METHOD_NOT_ALLOWED' && allow) headers['allow'] = allow;
  if (told.code === 'UNAUTHENTICATED') headers['www-authenticate'] = 'Bearer';
  // What is left of a body that was not read would be taken for the next request.
  if (told.code === 'PAYLOAD_TOO_LARGE') headers['connection'] = 'close';
  return { status: told.status, headers, body: JSON.stringify(errorBody(told, requestId)) };
}

function asGraphQL({ code, message }: RequestError, requestId: string): object {
  return { errors: [{ message, extensions: { code, requestId } }] };
}
