import type { GraphQLSchema } from 'graphql';
import type { ExecutionResult } from 'graphql';
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
      if (Array.isArray(result) || Symbol.asyncIterator in result) {
        throw new Error('Neither batches nor streams are served.');
      }
      payload.setResult(rewrite(result));
    },
  };
}
