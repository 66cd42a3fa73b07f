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
  // The first plugin is the outermost: without a principal, nothing is resolved or counted.
  plugins: [ScopeAuthPlugin, 'countObjects'],
  defaultFieldNullability: false,
  scopeAuth: {
    // Authorises once, before a stream begins, and not at each event.
    authorizeOnSubscribe: true,
    // The type says that there is a principal. The HTTP layer promises that, and it is checked here.
    authScopes: (ctx) => ({ authenticated: (ctx as Partial<RequestContext>).principal != null }),
    unauthorizedError: () => new RequestError('UNAUTHENTICATED', 'A valid token is needed.'),
  },
});

export type Types = typeof builder extends PothosSchemaTypes.SchemaBuilder<infer T> ? T : never;

builder.queryType({
  description:
    'The read operations. Root fields are nullable, so if one fails, the others still return data.',
  authScopes: { authenticated: true },
});

builder.mutationType({
  description:
    'The operations that change something. Several mutations in one request run one after another.',
  authScopes: { authenticated: true },
});

builder.subscriptionType({
  description:
    'The streams that can be followed as server-sent events. Send a POST with `Accept: text/event-stream`.',
  authScopes: { authenticated: true },
});
