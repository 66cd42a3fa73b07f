import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { DecryptionFailedError } from '../../../src/errors.ts';
import {
  type Envelope,
  type EnvelopeContext,
  openEnvelope,
  sealEnvelope,
} from '../../../src/kms/envelope/envelope.ts';
import { SecretBytes } from '../../../src/kms/envelope/secret-bytes.ts';
import { KeyCache } from '../../../src/kms/keys/key-cache.ts';
import { KeySession } from '../../../src/kms/keys/key-session.ts';
import { RootKeys } from '../../../src/kms/keys/root-keys.ts';
import type { KmsKeyGeneration, KmsKeyReference, KmsProvider } from '../../../src/kms/provider.ts';
import { LocalProvider } from '../../../src/kms/providers/local/provider.ts';
import { RemoteProvider } from '../../support/remote-provider.ts';

const rootKeys = new RootKeys([{ id: 'root', key: new SecretBytes(randomBytes(32)) }]);
const VALUES = { STRING: [['', 'v']], KEY_VALUE: [['a', 'v'], ['b', '']] } as const; // prettier-ignore
const PLACES = [
  ...(['AES256_GCM96', 'CHACHA20_POLY1305'] as const).flatMap((keyType) =>
    (['warm', 'cold'] as const).map((cache) => ({ provider: 'local', keyType, cache })),
  ),
  { provider: 'remote', keyType: 'AES256_GCM96', cache: 'warm' },
  { provider: 'remote', keyType: 'AES256_GCM96', cache: 'cold' },
] as const;

describe.each(PLACES)(
  'under a $provider key of $keyType, its cache $cache,',
  ({ provider, keyType, cache }) => {
    const keyCache = new KeyCache();
    const behind: KmsProvider =
      provider === 'local' ? new LocalProvider(rootKeys, keyCache) : new RemoteProvider();
    const reference: KmsKeyReference = {
      ...{ organisation: 'acme', region: 'local-1', project: '', identity: 'kms-1', keyType },
      externalKeyId: provider === 'local' ? null : 'payments',
    };

    /** As an operation opens it. */
    async function open(generation: KmsKeyGeneration, context: EnvelopeContext, envelope: Envelope) {
      if (cache === 'cold') keyCache.clear();
      const session = new KeySession(keyCache);
      try {
        return await session.run(() =>
          openEnvelope(session.bind(behind, reference), generation, context, envelope),
        );
      } finally {
        session.close();
      }
    }
    const expectNoOpening = async (...args: Parameters<typeof open>) => {
      const error = await open(...args).then(
        () => expect.fail('It opened.'),
        (thrown: unknown) => thrown,
      );
      expect(error).toBeInstanceOf(DecryptionFailedError);
      expect((error as Error).message).toBe('Decryption failed.');
    };

    describe.each(['STRING', 'KEY_VALUE'] as const)('a %s', (format) => {
      const context: EnvelopeContext = {
        ...{ organisation: 'acme', region: 'local-1', project: '', kmsKeyIdentity: 'kms-1', path: '/a' },
        ...{ secretId: '0197a2c4-0000-7000-8000-000000000001', version: 1, format },
      };
      const sealed = (async () => {
        const generation = await behind.create(reference);
        const entries = VALUES[format].map(([name, text]) => ({
          name,
          value: new SecretBytes(Buffer.from(text)),
        }));
        const envelope = await sealEnvelope({ provider: behind, reference }, generation, context, {
          format,
          entries,
        });
        return { generation, envelope };
      })();

      it('opens to nothing with any bit of its ciphertext, tags, nonces or wrapped data key flipped', async () => {
        const { generation, envelope } = await sealed;
        await open(generation, context, envelope);
        let bits = 0;
        for (const part of ['ciphertext', 'wrappedDataKey'] as const) {
          for (let bit = 0; bit < envelope[part].byteLength * 8; bit++, bits++) {
            const flipped = Buffer.from(envelope[part]);
            flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
            await expectNoOpening(generation, context, { ...envelope, [part]: flipped });
          }
        }
        const overhead = VALUES[format].length * (1 + 4 + 28);
        const names = VALUES[format].reduce((sum, [name, text]) => sum + name.length + text.length, 0);
        expect(bits).toBe((1 + overhead + names + 60) * 8);
        // And still opens as it was.
        expect((await open(generation, context, envelope))?.entries).toHaveLength(VALUES[format].length);
      });

      it('opens to nothing under the number of another generation', async () => {
        const { generation, envelope } = await sealed;
        await open(generation, context, envelope);
        const next = await behind.rotate(reference, generation);
        await expectNoOpening(next, context, envelope);
        await expectNoOpening({ ...generation, number: 2 }, context, envelope);
        await expectNoOpening({ ...next, number: 1 }, context, {
          ...envelope,
          wrappedDataKey: randomBytes(60),
        });
      });
    });
  },
);
