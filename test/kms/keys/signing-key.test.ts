import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { DecryptionFailedError } from '../../../src/errors.ts';
import { SecretBytes } from '../../../src/kms/envelope/secret-bytes.ts';
import { RootKeys } from '../../../src/kms/keys/root-keys.ts';
import { generateSigningKey, openSigningKey, rewrapSigningKey } from '../../../src/kms/keys/signing-key.ts';

const rootKey = (id: string) => ({ id, key: new SecretBytes(randomBytes(32)) });
const [one, two] = [rootKey('one'), rootKey('two')];
const old = new RootKeys([one]);
const stored = generateSigningKey(old, 'local-1');

describe('a key that signs checkpoints', () => {
  it('does not open with another root key, in another region, or as another key', () => {
    const other = generateSigningKey(old, 'local-1');
    for (const attempt of [
      () => openSigningKey(new RootKeys([two]), 'local-1', stored),
      () => openSigningKey(new RootKeys([{ ...two, id: 'one' }]), 'local-1', stored),
      () => openSigningKey(old, 'local-2', stored),
      () => openSigningKey(old, 'local-1', { ...stored, id: other.id }),
      () => openSigningKey(old, 'local-1', { ...stored, publicKey: other.publicKey }),
      () => openSigningKey(old, 'local-1', { ...stored, wrappedPrivateKey: other.wrappedPrivateKey }),
      () =>
        openSigningKey(old, 'local-1', {
          ...stored,
          wrappedPrivateKey: stored.wrappedPrivateKey.subarray(1),
        }),
    ]) {
      expect(attempt).toThrow(DecryptionFailedError);
    }
  });

  it('is wrapped under a key of its own: the one for KMS key material does not open it', () => {
    expect(() => old.unwrap(stored.rootKeyId, stored.wrappedPrivateKey, Buffer.alloc(0))).toThrow(
      DecryptionFailedError,
    );
    const context = Buffer.from('context');
    const { wrapped } = old.wrapSigningKey(new SecretBytes(Buffer.from('private')), context);
    expect(() => old.unwrap('one', wrapped, context)).toThrow(DecryptionFailedError);
    expect(old.unwrapSigningKey('one', wrapped, context).reveal().toString()).toBe('private');
  });

  it('opens, and rewrapped by a new root key it is the same key and needs the old one no more', () => {
    const rewrapped = rewrapSigningKey(new RootKeys([two, one]), 'local-1', stored);
    expect(rewrapped).toMatchObject({ id: stored.id, publicKey: stored.publicKey, rootKeyId: 'two' });
    const opened = openSigningKey(new RootKeys([two]), 'local-1', rewrapped);
    expect(opened.equals(openSigningKey(old, 'local-1', stored))).toBe(true);
    expect(opened.asymmetricKeyType).toBe('ed25519');
  });
});
