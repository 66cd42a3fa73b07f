import { UserError } from '../errors.ts';

/** An expected failure as data. graphql-js throws every Error that a resolver returns, so it needs a wrapper. */
export class Failure<E extends UserError = UserError> {
  readonly error: E;

  constructor(error: E) {
    this.error = error;
  }
}

/** Returns what an operation returned, or the expected failure that it threw. Any other error is thrown again. */
export async function outcome<T>(operation: Promise<T>): Promise<T | Failure> {
  try {
    return await operation;
  } catch (error) {
    if (error instanceof UserError) return new Failure(error);
    throw error;
  }
}
