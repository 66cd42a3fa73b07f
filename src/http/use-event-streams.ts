import { type ExecutionResult, GraphQLError } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { RequestError } from '../errors.ts';
import type { RequestContext } from '../resolvers/request-context.ts';
import { unconditionalSubscriptionRule } from './unconditional-subscription-rule.ts';

export const EVENT_STREAM = 'text/event-stream';

type Results = AsyncIterable<ExecutionResult>;
const handedOver = new WeakMap<Response, Results>();

/** The results that a response stands for, which has no body then; undefined for any other response. */
export function streamedResults(response: Response): Results | undefined {
  const results = handedOver.get(response);
  if (!results && response.headers.get('content-type') === EVENT_STREAM)
    throw new Error('A stream was lost.');
  return results;
}

/**
 * Hands the results of a stream over, to be written as the client takes them: yoga's own stream reads ahead by 64 KiB for
 * each. A subscription is refused to a client that takes no stream, and any other operation answered as JSON if it may be.
 */
export function useEventStreams(): Plugin<object, RequestContext> {
  return {
    onValidate({ addValidationRule }) {
      addValidationRule(unconditionalSubscriptionRule);
    },
    onSubscribe({ args, setResultAndStopExecution }) {
      if (acceptedBy(args.contextValue.request).includes(EVENT_STREAM)) return;
      const message = `A subscription is answered as ${EVENT_STREAM} only: send it as Accept.`;
      const originalError = new RequestError('NOT_ACCEPTABLE', message);
      setResultAndStopExecution({ errors: [new GraphQLError('', { originalError })] });
    },
    onResultProcess(payload) {
      const { request, result } = payload;
      if (Array.isArray(result)) return;
      const isStream = Symbol.asyncIterator in result;
      const accepted = acceptedBy(request);
      if (!isStream && accepted.some((type) => type !== EVENT_STREAM)) return;
      payload.setResultProcessor((final, fetchAPI) => {
        const response = new fetchAPI.Response(null, { headers: { 'content-type': EVENT_STREAM } });
        handedOver.set(response, isStream ? (final as Results) : once(final as ExecutionResult));
        return response;
      }, EVENT_STREAM);
    },
  };
}

function acceptedBy(request: Request): readonly string[] {
  return (request.headers.get('accept') ?? '').split(',').map((range) => range.split(';')[0]?.trim() ?? '');
}

// eslint-disable-next-line @typescript-eslint/require-await -- a stream of what is there
async function* once(result: ExecutionResult): Results {
  yield result;
}
