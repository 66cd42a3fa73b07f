import { maxAliasesPlugin } from '@escape.tech/graphql-armor-max-aliases';
import { maxDepthPlugin } from '@escape.tech/graphql-armor-max-depth';
import { maxDirectivesPlugin } from '@escape.tech/graphql-armor-max-directives';
import { maxTokensPlugin } from '@escape.tech/graphql-armor-max-tokens';
import {
  type DocumentNode,
  type ExecutionResult,
  getOperationAST,
  type GraphQLError,
  OperationTypeNode,
} from 'graphql';
import { createYoga, type Plugin } from 'graphql-yoga';
import { RequestError } from '../../errors.ts';
import type { RequestContext } from '../../resolvers/context/request-context.ts';
import { schema } from '../../schema/index.ts';
import type { Logger } from '../log.ts';
import type { Answer } from '../send-answer.ts';
import type { AcceptedTypes } from './accepted-types.ts';
import { EVENT_STREAM, type StreamTiming, writeEventStream } from './event-stream.ts';
import { parseGraphQLParams } from './graphql-params.ts';
import { each, once, publicResults, resultOf, withoutHttp } from './public-results.ts';
import { unconditionalSubscriptionRule } from './unconditional-subscription-rule.ts';
import { ValidDocuments } from './valid-documents.ts';

export const DOCUMENT_LIMITS = { depth: 20, tokens: 2_000, aliases: 30, directives: 50 } as const;

type Results = AsyncIterable<ExecutionResult>;

/** Answers the body of a request; what is thrown is in the answer. */
export type GraphQLServer = (body: Buffer, accepted: AcceptedTypes, ctx: RequestContext) => Promise<Answer>;

/**
 * GraphQL over HTTP. yoga parses, validates and executes; the way through its Request and Response would cost three times
 * as much as all of that, so what stands in the body and what becomes of the result is read and written here.
 */
export function createGraphQL(log: Logger, timing: StreamTiming): GraphQLServer {
  const engine = createEngine();
  const toPublic = publicResults(schema, log);
  const documents = new ValidDocuments();

  const validDocument = (text: string, { parse, validate }: Enveloped): DocumentNode | ExecutionResult => {
    const known = documents.get(text);
    if (known) return known;
    const document = parse(text) as DocumentNode;
    const errors = validate(schema, document) as readonly GraphQLError[];
    if (errors.length > 0) return { errors };
    documents.keep(text, document);
    return document;
  };

  const execute = async (
    body: Buffer,
    accepted: AcceptedTypes,
    ctx: RequestContext,
  ): Promise<ExecutionResult | Results> => {
    const { query, variables: variableValues, operationName } = parseGraphQLParams(body);
    const enveloped = engine.getEnveloped(ctx);
    const document = validDocument(query, enveloped);
    if (!('kind' in document)) return document;
    const args = { schema, document, contextValue: ctx, variableValues, operationName };
    if (getOperationAST(document, operationName)?.operation !== OperationTypeNode.SUBSCRIPTION)
      return enveloped.execute(args) as Promise<ExecutionResult>;
    if (!accepted.stream) {
      const message = `A subscription is answered as ${EVENT_STREAM} only: send it as Accept.`;
      throw new RequestError('NOT_ACCEPTABLE', message);
    }
    return enveloped.subscribe(args) as Promise<ExecutionResult | Results>;
  };

  return async (body, accepted, ctx) => {
    const { requestId } = ctx;
    const result = await execute(body, accepted, ctx).catch(resultOf);
    if (Symbol.asyncIterator in result) return streamed(each(result, toPublic, requestId), timing);
    const told = toPublic(result, requestId);
    return accepted.json === null ? streamed(once(told), timing) : answered(told, accepted.json);
  };
}

type Enveloped = ReturnType<ReturnType<typeof createEngine>['getEnveloped']>;

const unconditionalSubscriptions: Plugin = {
  onValidate: ({ addValidationRule }) => addValidationRule(unconditionalSubscriptionRule),
};

/** yoga with every default stated: what is not needed is off. */
function createEngine() {
  const strict = { exposeLimits: true, propagateOnRejection: true } as const;
  return createYoga<RequestContext, RequestContext>({
    schema,
    cors: false,
    graphiql: false,
    landingPage: false,
    multipart: false,
    batching: false,
    logging: false,
    // Not yoga's masking, which lets graphql-js quote input: every error is written anew.
    maskedErrors: false,
    // It would keep documents that are not valid too, whatever they hold and however long they are.
    parserAndValidationCache: false,
    plugins: [
      maxTokensPlugin({ n: DOCUMENT_LIMITS.tokens, ...strict }),
      maxDepthPlugin({
        n: DOCUMENT_LIMITS.depth,
        ignoreIntrospection: false,
        flattenFragments: true,
        ...strict,
      }),
      // Left out, `__typename` is allowed: as a field, and as the alias of any field.
      maxAliasesPlugin({ n: DOCUMENT_LIMITS.aliases, allowList: [], ...strict }),
      maxDirectivesPlugin({ n: DOCUMENT_LIMITS.directives, ...strict }),
      unconditionalSubscriptions,
    ],
  });
}

interface HttpExtension {
  readonly status: number;
  /** Whether 200 is the status instead where the answer is application/json (GraphQL over HTTP). */
  readonly spec?: boolean;
}

function answered(result: ExecutionResult, type: NonNullable<AcceptedTypes['json']>): Answer {
  let status = 200;
  for (const error of result.errors ?? []) {
    const http = error.extensions['http'] as HttpExtension | undefined;
    if (http && !(http.spec && type === 'application/json')) status = Math.max(status, http.status);
  }
  return {
    status,
    headers: { 'content-type': `${type}; charset=utf-8` },
    body: JSON.stringify(withoutHttp(result)),
  };
}

function streamed(results: Results, timing: StreamTiming): Answer {
  return {
    ...{ status: 200, headers: {} },
    body: (response, headers, end) => writeEventStream(response, results, headers, timing, end),
  };
}
