import type { SecretReader } from '../../resolvers/audit/secret-readers.ts';
import { builder } from '../builder.ts';
import { connectionType } from '../connection.ts';
import { IdentityType } from '../identity.ts';

const SecretReaderType = builder.objectRef<SecretReader>('SecretReader').implement({
  description: 'An identity that read values of a secret.',
  fields: (t) => ({
    reader: t.field({
      type: IdentityType,
      description: 'The identity of the reader.',
      resolve: ({ subject, issuer }) => ({ subject, issuer }),
    }),
    reads: t.field({
      type: 'SafeInt',
      description: 'How often the reader read values in the requested period.',
      resolve: ({ reads }) => reads,
    }),
    lastReadAt: t.expose('lastReadAt', {
      type: 'DateTime',
      description: 'When the reader last read a value.',
    }),
  }),
});

export const SecretReaderConnection = connectionType('SecretReader', 'readers', SecretReaderType);
