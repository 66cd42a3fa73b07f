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
        const errors = one.errors.map((error) => {
          const told = toPublicError(error, schema, requestId);
          if (told.unexpected) log.error({ requestId, ...errorFacts(told.unexpected) }, 'unexpected error');
          return told.error;
        });
        return { ...(one.data !== undefined && { data: one.data }), errors };
      };
      if (Array.isArray(result) || Symbol.asyncIterator in result) {
        throw new Error('Neither batches nor streams are served.');
      }
      payload.setResult(rewrite(result));
    },
  };
}
