import { type ExecutionResult, GraphQLError, type GraphQLSchema } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import type { RequestContext } from '../resolvers/request-context.ts';
import { errorFacts, type Logger } from './log.ts';
import { toPublicError } from './public-error.ts';

/** Every result that leaves has its errors written anew, and the log learns of those that nobody expected. */
export function usePublicErrors(schema: GraphQLSchema, log: Logger): Plugin<object, RequestContext> {
  return {
    onResultProcess(payload) {
      const { result } = payload;
      const { requestId } = payload.serverContext;
      const rewrite = (one: ExecutionResult): ExecutionResult => {
        if (!one.errors) return one;
        const told = one.errors.map((error) => toPublicError(error, schema, requestId));
        // One line a request: a request with a thousand fields must not write a thousand.
        const unexpected = told.filter((error) => error.unexpected !== null);
        const first = unexpected[0]?.unexpected;
        if (first)
          log.error({ requestId, fields: unexpected.length, ...errorFacts(first) }, 'unexpected error');
        return { ...(one.data !== undefined && { data: one.data }), errors: told.map(({ error }) => error) };
      };
      if (Array.isArray(result)) throw new Error('Batches are not served.');
      payload.setResult(isStream(result) ? each(result, rewrite) : rewrite(result));
    },
  };
}

function isStream(result: object): result is AsyncIterable<object> {
  return Symbol.asyncIterator in result;
}

/** The same stream with every result rewritten; what breaks it off is its last result. */
async function* each(
  results: AsyncIterable<object>,
  rewrite: (one: ExecutionResult) => ExecutionResult,
): AsyncGenerator<ExecutionResult, void> {
  try {
    for await (const one of results) yield rewrite(one);
  } catch (error) {
    yield rewrite({ errors: [new GraphQLError('', { originalError: error as Error })] });
  }
}
