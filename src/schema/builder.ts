import './count-objects.ts';
import SchemaBuilder from '@pothos/core';
import ScopeAuthPlugin from '@pothos/plugin-scope-auth';
import { RequestError } from '../errors.ts';
import type { SecretBytes } from '../kms/envelope/secret-bytes.ts';
import type { RequestContext } from '../resolvers/context/request-context.ts';

interface TextScalar {
  Input: string;
  Output: string;
}

interface Shapes {
  Context: RequestContext;
  DefaultFieldNullability: false;
  AuthScopes: { authenticated: boolean };
  Scalars: {
    ID: TextScalar;
    DateTime: { Input: string; Output: Date };
    SecretPath: TextScalar;
    FolderPath: TextScalar;
    SecretData: { Input: string; Output: SecretBytes };
    CIDR: TextScalar;
    TimeZone: TextScalar;
    LocalTime: TextScalar;
    SafeInt: { Input: number; Output: number | bigint };
  };
}

export const builder = new SchemaBuilder<Shapes>({
  // The first is the outermost: nothing is resolved, nor counted, for a caller without a principal.
  plugins: [ScopeAuthPlugin, 'countObjects'],
  defaultFieldNullability: false,
  scopeAuth: {
    // Before a stream begins, and not at each of its events.
    authorizeOnSubscribe: true,
    // The type says that a principal is there; that is the HTTP layer's promise, and here it is checked.
    authScopes: (ctx) => ({ authenticated: (ctx as Partial<RequestContext>).principal != null }),
    unauthorizedError: () => new RequestError('UNAUTHENTICATED', 'A valid token is needed.'),
  },
});

export type Types = typeof builder extends PothosSchemaTypes.SchemaBuilder<infer T> ? T : never;

builder.queryType({
  description:
    'Everything that can be read. Root fields are nullable, so that the failure of one leaves the others.',
  authScopes: { authenticated: true },
});

builder.mutationType({
  description: 'Everything that changes something. Several in one request run one after the other.',
  authScopes: { authenticated: true },
});

builder.subscriptionType({
  description:
    'Everything that can be followed, as server-sent events: a POST with `Accept: text/event-stream`.',
  authScopes: { authenticated: true },
});
