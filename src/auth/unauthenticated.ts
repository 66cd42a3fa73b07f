import { RequestError } from '../errors.ts';

/**
 * One answer for every credential that is not accepted, so that nobody can probe the checks. `failedCheck` is for the
 * log alone, as the error's `cause`: it names the check and must hold nothing of the token.
 */
export function unauthenticated(failedCheck: string): RequestError {
  const error = new RequestError('UNAUTHENTICATED', 'A valid access token is required.');
  // Not enumerable, like the built-in one: spreading or serialising the error does not publish it.
  Object.defineProperty(error, 'cause', { value: new Error(`failed check: ${failedCheck}`) });
  return error;
}
