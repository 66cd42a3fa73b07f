import { maxAliasesPlugin } from '@escape.tech/graphql-armor-max-aliases';
import { maxDepthPlugin } from '@escape.tech/graphql-armor-max-depth';
import { maxDirectivesPlugin } from '@escape.tech/graphql-armor-max-directives';
import { maxTokensPlugin } from '@escape.tech/graphql-armor-max-tokens';
import { createYoga, type YogaServerInstance } from 'graphql-yoga';
import type { RequestContext } from '../resolvers/request-context.ts';
import { schema } from '../schema/index.ts';
import type { Logger } from './log.ts';
import { useEventStreams } from './use-event-streams.ts';
import { usePublicErrors } from './use-public-errors.ts';

export const DOCUMENT_LIMITS = { depth: 20, tokens: 2_000, aliases: 30, directives: 50 } as const;

export type GraphQLServer = YogaServerInstance<RequestContext, RequestContext>;

/** GraphQL over HTTP with every default of yoga stated: what is not needed is off. */
export function createGraphQL(log: Logger): GraphQLServer {
  const strict = { exposeLimits: true, propagateOnRejection: true } as const;
  return createYoga<RequestContext, RequestContext>({
    schema,
    graphqlEndpoint: '/graphql',
    context: (serverContext) => serverContext,
    // CORS, GraphiQL and health are answered before a request comes here; nothing is loaded from elsewhere.
    cors: false,
    graphiql: false,
    landingPage: false,
    multipart: false,
    batching: false,
    logging: false,
    // Not yoga's masking, which lets graphql-js quote input: usePublicErrors rewrites every error.
    maskedErrors: false,
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
      usePublicErrors(schema, log),
      useEventStreams(),
    ],
  });
}
