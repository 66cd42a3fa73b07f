import type { KmsKeyVersion } from '../../resolvers/kms-keys/kms-key-versions.ts';
import { builder } from '../builder.ts';
import { connectionType } from '../connection.ts';

const KmsKeyVersionType = builder.objectRef<KmsKeyVersion>('KmsKeyVersion').implement({
  description: 'A version of a KMS key. Rotating the key adds one.',
  fields: (t) => ({
    version: t.string({
      description: 'The number of the version, `1` for the first.',
      resolve: ({ number }) => String(number),
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When the version was created.' }),
    secretVersionCount: t.int({
      description: 'How many active secret versions it protects.',
      resolve: ({ kmsKey: { region, identity: id }, number }, _, ctx) =>
        ctx.loaders(region).secretVersionCount.load({ id, number }),
    }),
  }),
});

export const KmsKeyVersionConnection = connectionType(
  'KmsKeyVersion',
  'versions of a KMS key',
  KmsKeyVersionType,
);
