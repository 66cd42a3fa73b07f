import { type ExecutionResult, GraphQLError, type GraphQLSchema } from 'graphql';
import { errorFacts, type Logger } from '../log.ts';
import { toPublicError } from './public-error.ts';

/** Writes results as they may leave. */
export type PublicResult = (one: ExecutionResult, requestId: string) => ExecutionResult;

/** Every result that leaves has its errors written anew, and the log learns of those that nobody expected. */
export function publicResults(schema: GraphQLSchema, log: Logger): PublicResult {
  return (one, requestId) => {
    if (!one.errors) return one;
    const told = one.errors.map((error) => toPublicError(error, schema, requestId));
    // One line a request: a request with a thousand fields must not write a thousand.
    const unexpected = told.filter((error) => error.unexpected !== null);
    const first = unexpected[0]?.unexpected;
    if (first) log.error({ requestId, fields: unexpected.length, ...errorFacts(first) }, 'unexpected error');
    return { ...(one.data !== undefined && { data: one.data }), errors: told.map(({ error }) => error) };
  };
}

/** What was thrown, as a result of its own. */
export function resultOf(error: unknown): ExecutionResult {
  if (error instanceof GraphQLError) return { errors: [error] };
  const originalError = error instanceof Error ? error : new Error('Not an error was thrown.');
  return { errors: [new GraphQLError('', { originalError })] };
}

/** The same stream with every result rewritten; what breaks it off is its last result. */
export async function* each(
  results: AsyncIterable<ExecutionResult>,
  toPublic: PublicResult,
  requestId: string,
): AsyncGenerator<ExecutionResult, void> {
  try {
    for await (const one of results) yield toPublic(one, requestId);
  } catch (error) {
    yield toPublic(resultOf(error), requestId);
  }
}

// eslint-disable-next-line @typescript-eslint/require-await -- a stream of what is there
export async function* once(result: ExecutionResult): AsyncGenerator<ExecutionResult, void> {
  yield result;
}

/** Without what only the status of the answer has a use for. */
export function withoutHttp(result: ExecutionResult): object {
  if (!result.errors) return result;
  const errors = result.errors.map((error) => {
    const { extensions, ...told } = error.toJSON();
    return { ...told, extensions: { ...extensions, http: undefined } };
  });
  return { ...result, errors };
}
