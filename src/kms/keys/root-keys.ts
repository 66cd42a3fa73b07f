import { createHash, createHmac, hkdfSync } from 'node:crypto';
import { DecryptionFailedError } from '../../errors.ts';
import { aeadOpen, aeadSeal, KEY_BYTES } from '../envelope/aead.ts';
import { SecretBytes } from '../envelope/secret-bytes.ts';

/** A root key as configured: 32 bytes and the name under which rows remember it. */
export interface RootKey {
  readonly id: string;
  readonly key: SecretBytes;
}

/** The id of a root key that was given none: 16 hexadecimal digits that tell two keys apart and nothing about them. */
export function rootKeyId(key: SecretBytes): string {
  return createHash('sha256')
    .update('strongroom root key id\0')
    .update(key.reveal())
    .digest('hex')
    .slice(0, 16);
}

interface Derived {
  readonly wrap: SecretBytes;
  readonly wrapSigningKey: SecretBytes;
  readonly fingerprint: SecretBytes;
}

/**
 * The root keys of one region, newest first. They are used only through keys derived from them, one a purpose
 * (HKDF-SHA256, RFC 5869), so that no two uses share a key.
 */
export class RootKeys {
  readonly newestId: string;
  readonly #derived: ReadonlyMap<string, Derived>;

  constructor(rootKeys: readonly RootKey[]) {
    const newest = rootKeys[0];
    if (!newest) throw new Error('A region needs a root key.');
    this.newestId = newest.id;
    this.#derived = new Map(
      rootKeys.map(({ id, key }) => [
        id,
        {
          wrap: derive(key, 'strongroom/root/wrap-key-material/1'),
          wrapSigningKey: derive(key, 'strongroom/root/wrap-audit-signing-key/1'),
          fingerprint: derive(key, 'strongroom/root/idempotency-fingerprint/1'),
        },
      ]),
    );
  }

  /** The ids of all but the newest. */
  get olderIds(): readonly string[] {
    return [...this.#derived.keys()].filter((id) => id !== this.newestId);
  }

  has(id: string): boolean {
    return this.#derived.has(id);
  }

  wrap(
    material: SecretBytes,
    context: Uint8Array,
  ): { readonly wrapped: Uint8Array; readonly rootKeyId: string } {
    const wrapped = aeadSeal(
      'AES256_GCM96',
      this.#of(this.newestId).wrap.reveal(),
      material.reveal(),
      context,
    );
    return { wrapped, rootKeyId: this.newestId };
  }

  unwrap(id: string, wrapped: Uint8Array, context: Uint8Array): SecretBytes {
    return new SecretBytes(aeadOpen('AES256_GCM96', this.#of(id).wrap.reveal(), wrapped, context));
  }

  /** Of the private key that signs audit checkpoints: under a key of its own, whatever its context says. */
  wrapSigningKey(
    privateKey: SecretBytes,
    context: Uint8Array,
  ): { readonly wrapped: Uint8Array; readonly rootKeyId: string } {
    const key = this.#of(this.newestId).wrapSigningKey.reveal();
    return {
      wrapped: aeadSeal('AES256_GCM96', key, privateKey.reveal(), context),
      rootKeyId: this.newestId,
    };
  }

  unwrapSigningKey(id: string, wrapped: Uint8Array, context: Uint8Array): SecretBytes {
    return new SecretBytes(aeadOpen('AES256_GCM96', this.#of(id).wrapSigningKey.reveal(), wrapped, context));
  }

  /** An HMAC-SHA256 of input that may hold a secret: a plain hash could be guessed at by whoever reads the table. */
  fingerprint(id: string, input: Uint8Array): Buffer {
    return createHmac('sha256', this.#of(id).fingerprint.reveal()).update(input).digest();
  }

  #of(id: string) {
    const keys = this.#derived.get(id);
    if (!keys) throw new DecryptionFailedError();
    return keys;
  }
}

function derive(key: SecretBytes, purpose: string): SecretBytes {
  return new SecretBytes(Buffer.from(hkdfSync('sha256', key.reveal(), Buffer.alloc(0), purpose, KEY_BYTES)));
}
