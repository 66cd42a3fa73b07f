import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto';
import { DecryptionFailedError } from '../../errors.ts';
import { canonical } from '../envelope/canonical.ts';
import { SecretBytes } from '../envelope/secret-bytes.ts';
import type { RootKeys } from './root-keys.ts';

/** An Ed25519 key (RFC 8032) as it is stored: the private half wrapped by the region's root key. */
export interface StoredSigningKey {
  /** The first 16 hexadecimal digits of SHA-256 over the public key. */
  readonly id: string;
  /** SubjectPublicKeyInfo in DER (RFC 8410). */
  readonly publicKey: Uint8Array;
  readonly wrappedPrivateKey: Uint8Array;
  readonly rootKeyId: string;
}

export function generateSigningKey(rootKeys: RootKeys, region: string): StoredSigningKey {
  const pair = generateKeyPairSync('ed25519');
  const publicKey = publicBytes(pair.publicKey);
  const id = signingKeyId(publicKey);
  const wrapped = wrapPrivate(rootKeys, region, id, pair.privateKey);
  return { id, publicKey, ...wrapped };
}

/** The private key. Throws `DecryptionFailedError` for another root key or region, and where the row does not fit together. */
export function openSigningKey(rootKeys: RootKeys, region: string, stored: StoredSigningKey): KeyObject {
  const { id, publicKey, wrappedPrivateKey, rootKeyId } = stored;
  const opened = rootKeys.unwrapSigningKey(rootKeyId, wrappedPrivateKey, contextOf(region, id));
  try {
    const privateKey = createPrivateKey({ key: opened.reveal(), format: 'der', type: 'pkcs8' });
    const own = publicBytes(createPublicKey(privateKey));
    if (Buffer.compare(own, publicKey) !== 0 || signingKeyId(own) !== id) throw new DecryptionFailedError();
    return privateKey;
  } finally {
    opened.zero();
  }
}

/** The same key under the newest root key. */
export function rewrapSigningKey(
  rootKeys: RootKeys,
  region: string,
  stored: StoredSigningKey,
): StoredSigningKey {
  return { ...stored, ...wrapPrivate(rootKeys, region, stored.id, openSigningKey(rootKeys, region, stored)) };
}

function wrapPrivate(rootKeys: RootKeys, region: string, id: string, key: KeyObject) {
  const bytes = new SecretBytes(key.export({ format: 'der', type: 'pkcs8' }));
  try {
    const { wrapped, rootKeyId } = rootKeys.wrapSigningKey(bytes, contextOf(region, id));
    return { wrappedPrivateKey: wrapped, rootKeyId };
  } finally {
    bytes.zero();
  }
}

function contextOf(region: string, id: string): Buffer {
  return canonical(['strongroom/audit-signing-key/1', region, id]);
}

function publicBytes(key: KeyObject): Buffer {
  return key.export({ format: 'der', type: 'spki' });
}

function signingKeyId(publicKey: Uint8Array): string {
  return createHash('sha256').update(publicKey).digest('hex').slice(0, 16);
}
