import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { DecryptionFailedError } from '../../errors.ts';

export type AeadAlgorithm = 'AES256_GCM96' | 'CHACHA20_POLY1305';

/** The names of NIST SP 800-38D (AES-GCM) and RFC 8439 (ChaCha20-Poly1305) in OpenSSL. */
const CIPHERS = { AES256_GCM96: 'aes-256-gcm', CHACHA20_POLY1305: 'chacha20-poly1305' } as const;

export const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** What sealing adds to the plaintext's length: nonce and tag. */
export const SEAL_OVERHEAD_BYTES = NONCE_BYTES + TAG_BYTES;

/**
 * Encrypts under a 256-bit key and a fresh random 96-bit nonce: nonce, ciphertext, 128-bit tag, in that order. With
 * random nonces one key may seal 2^32 messages (NIST SP 800-38D, 8.3).
 */
export function aeadSeal(
  algorithm: AeadAlgorithm,
  key: Uint8Array,
  plaintext: Uint8Array,
  additionalData: Uint8Array,
): Buffer {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = withoutStack(() =>
    createCipheriv(CIPHERS[algorithm] as 'aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES }),
  );
  cipher.setAAD(additionalData, { plaintextLength: plaintext.byteLength });
  const body = cipher.update(plaintext);
  return Buffer.concat([nonce, body, cipher.final(), cipher.getAuthTag()]);
}

/** Decrypts what `aeadSeal` made. Throws `DecryptionFailedError`, always the same, when anything at all differs. */
export function aeadOpen(
  algorithm: AeadAlgorithm,
  key: Uint8Array,
  sealed: Uint8Array,
  additionalData: Uint8Array,
): Buffer {
  if (sealed.byteLength < SEAL_OVERHEAD_BYTES) throw new DecryptionFailedError();
  const nonce = sealed.subarray(0, NONCE_BYTES);
  const body = sealed.subarray(NONCE_BYTES, -TAG_BYTES);
  let plaintext: Buffer | undefined;
  try {
    const decipher = withoutStack(() =>
      createDecipheriv(CIPHERS[algorithm] as 'aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES }),
    );
    decipher.setAAD(additionalData, { plaintextLength: body.byteLength });
    decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
    plaintext = decipher.update(body);
    decipher.final();
    return plaintext;
  } catch {
    plaintext?.fill(0);
    throw new DecryptionFailedError();
  }
}

/**
 * Node asks of every key whether it is a KeyObject or a CryptoKey, and for a buffer catches two errors on the way, whose
 * stacks cost twice what the cipher does. A KeyObject would be a copy of the key that nobody can zero.
 */
function withoutStack<T>(work: () => T): T {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return work();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}
