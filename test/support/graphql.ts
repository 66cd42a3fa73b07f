import { initGraphQLTada } from 'gql.tada';
import type { introspection } from './generated/graphql-env.d.ts';

/** Documents whose results and variables are typed from schema.graphql. */
export const graphql = initGraphQLTada<{
  introspection: introspection;
  scalars: {
    DateTime: string;
    SecretPath: string;
    FolderPath: string;
    SecretData: string;
    CIDR: string;
    TimeZone: string;
    LocalTime: string;
    SafeInt: number;
  };
}>();
