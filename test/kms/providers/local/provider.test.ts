import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { DecryptionFailedError } from '../../../../src/errors.ts';
import { SecretBytes } from '../../../../src/kms/envelope/secret-bytes.ts';
import { KeyCache } from '../../../../src/kms/keys/key-cache.ts';
import { RootKeys } from '../../../../src/kms/keys/root-keys.ts';
import type { KmsKeyReference } from '../../../../src/kms/provider.ts';
import { LocalProvider } from '../../../../src/kms/providers/local/provider.ts';
import { describeProvider } from '../provider-conformance.ts';

const newRootKeys = () => new RootKeys([{ id: 'root', key: new SecretBytes(randomBytes(32)) }]);
const NO_CACHE = { maxKeys: 0, maxAgeMs: 1_000, maxUses: 1 };
const referenceOf = (keyType: KmsKeyReference['keyType']): KmsKeyReference => ({
  organisation: 'acme',
  region: 'local-1',
  project: '',
  identity: 'kms-1',
  keyType,
  externalKeyId: null,
});

describe.each(['warm', 'cold'] as const)('with the key cache %s,', (cache) => {
  const newCache = () => (cache === 'warm' ? new KeyCache() : new KeyCache(NO_CACHE));
  for (const keyType of ['AES256_GCM96', 'CHACHA20_POLY1305'] as const) {
    describeProvider(`local, ${keyType}`, () => {
      const reference = referenceOf(keyType);
      return Promise.resolve({
        provider: new LocalProvider(newRootKeys(), newCache()),
        reference,
        otherReference: { ...reference, identity: 'kms-2' },
        // Under another root key of the same name: the service that was given the wrong one.
        outOfReach: () => Promise.resolve(new LocalProvider(newRootKeys(), newCache())),
      });
    });
  }
});

describe.each(['AES256_GCM96', 'CHACHA20_POLY1305'] as const)('local, %s,', (keyType) => {
  const CONTEXT = Buffer.from('context');
  const reference = referenceOf(keyType);

  it('refuses every flipped bit of the stored key material, though the true one is in the cache', async () => {
    const provider = new LocalProvider(newRootKeys(), new KeyCache());
    const generation = await provider.create(reference);
    const dataKey = new SecretBytes(randomBytes(32));
    const wrapped = await provider.wrap(reference, generation, dataKey, CONTEXT);
    const material = generation.wrappedMaterial ?? expect.fail('A local key has its material.');
    expect(material.byteLength).toBe(60);
    for (let bit = 0; bit < material.byteLength * 8; bit++) {
      const wrappedMaterial = Buffer.from(material);
      wrappedMaterial[bit >> 3] = (wrappedMaterial[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const flipped = { ...generation, wrappedMaterial };
      await expect(provider.unwrap(reference, flipped, wrapped, CONTEXT), `bit ${bit}`).rejects.toThrow(
        DecryptionFailedError,
      );
      expect(await provider.describe(reference, flipped)).toEqual({ usable: false });
    }
    expect((await provider.unwrap(reference, generation, wrapped, CONTEXT)).reveal()).toEqual(
      dataKey.reveal(),
    );
  });

  it('refuses the material of one generation under the number of another, with the cache warm', async () => {
    const provider = new LocalProvider(newRootKeys(), new KeyCache());
    const first = await provider.create(reference);
    const second = await provider.rotate(reference, first);
    for (const generation of [first, second]) {
      expect(await provider.describe(reference, generation)).toEqual({ usable: true });
    }
    expect(await provider.describe(reference, { ...second, number: 1 })).toEqual({ usable: false });
    expect(await provider.describe(reference, { ...first, number: 2 })).toEqual({ usable: false });
  });
});
