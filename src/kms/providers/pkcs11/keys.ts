import { randomBytes } from 'node:crypto';
import { type Pkcs11KeyName, Pkcs11Failure } from './messages.ts';
import { type Handle, CK, CKR, isOneOf } from './module.ts';
import type { Pkcs11Session } from './session.ts';

/** What a key is wanted for: to bind it and seal under it, or to open what it sealed once. */
export type KeyUse = 'seal' | 'open';

const GENERATION_ID = /^7372[0-9a-f]{28}$/;
const MAX_KEYS_OF_A_LABEL = 1_000;
const MAX_ID_BYTES = 128;

/**
 * A CKA_ID for a key made by `rotate`: `sr`, the time in milliseconds (48 bits, big-endian), 64 random bits. So the
 * newest of the keys of a label can be told, which PKCS#11 itself does not tell.
 */
export function newGenerationId(at: number): Buffer {
  const id = Buffer.alloc(16);
  id.write('sr', 'latin1');
  id.writeUIntBE(at, 2, 6);
  randomBytes(8).copy(id, 8);
  return id;
}

/** The one key with this label and CKA_ID, fit for its use. Throws a failure of the kind `externalKey`. */
export function findKey(session: Pkcs11Session, handle: Handle, name: Pkcs11KeyName, use: KeyUse): Handle {
  const known = session.found.get(cacheKey(name, use));
  if (known) return known;
  const keys = find(session, handle, name.label, Buffer.from(name.id, 'hex'));
  const [key] = keys;
  if (!key) throw unfit('The token has no secret key with this CKA_LABEL and CKA_ID');
  if (keys.length > 1) throw unfit('The token has several secret keys with this CKA_LABEL and CKA_ID');
  requireFit(session, handle, key, use);
  session.found.set(cacheKey(name, use), key);
  return key;
}

/**
 * The CKA_ID of the key to bind: the only key of the label, or the newest that `rotate` made. Of several that others
 * made none can be preferred.
 */
export function findNewest(session: Pkcs11Session, handle: Handle, label: string): string {
  const ids = find(session, handle, label).map((key) => {
    const [id] = session.module.C_GetAttributeValue(handle, key, [{ type: CK.CKA_ID }]);
    return id?.value.toString('hex') ?? '';
  });
  const ours = ids.filter((id) => GENERATION_ID.test(id)).sort();
  const newest = ours.at(-1) ?? ids[0];
  if (newest === undefined) throw unfit('The token has no secret key with this CKA_LABEL');
  if (ours.length === 0 && ids.length > 1)
    throw unfit('The token has several secret keys with this CKA_LABEL');
  if (newest === '' || newest.length > 2 * MAX_ID_BYTES) {
    throw unfit(`The key needs a CKA_ID of 1 to ${MAX_ID_BYTES} bytes, by which its generation is known`);
  }
  return newest;
}

/** Makes the next generation: a key that never leaves the token, for sealing and opening and nothing else. */
export function generateKey(
  session: Pkcs11Session,
  label: string,
): { readonly key: Handle; readonly id: string } {
  const id = newGenerationId(Date.now());
  const attributes = [
    { type: CK.CKA_CLASS, value: CK.CKO_SECRET_KEY },
    { type: CK.CKA_KEY_TYPE, value: CK.CKK_AES },
    { type: CK.CKA_VALUE_LEN, value: 32 },
    { type: CK.CKA_LABEL, value: label },
    { type: CK.CKA_ID, value: id },
    ...[CK.CKA_TOKEN, CK.CKA_PRIVATE, CK.CKA_SENSITIVE, CK.CKA_ENCRYPT, CK.CKA_DECRYPT].map((type) => ({
      type,
      value: true,
    })),
    ...[CK.CKA_EXTRACTABLE, CK.CKA_WRAP, CK.CKA_UNWRAP, CK.CKA_SIGN, CK.CKA_VERIFY, CK.CKA_DERIVE].map(
      (type) => ({ type, value: false }),
    ),
  ];
  const key = session.writing((writing) =>
    session.module.C_GenerateKey(writing, { mechanism: CK.CKM_AES_KEY_GEN }, attributes),
  );
  return { key, id: id.toString('hex') };
}

function find(session: Pkcs11Session, handle: Handle, label: string, id?: Buffer): readonly Handle[] {
  const { module } = session;
  module.C_FindObjectsInit(handle, [
    { type: CK.CKA_CLASS, value: CK.CKO_SECRET_KEY },
    { type: CK.CKA_TOKEN, value: true },
    { type: CK.CKA_LABEL, value: label },
    ...(id ? [{ type: CK.CKA_ID, value: id }] : []),
  ]);
  const keys: Handle[] = [];
  try {
    for (let more = true; more && keys.length < MAX_KEYS_OF_A_LABEL;) {
      const batch = module.C_FindObjects(handle, 100);
      keys.push(...batch);
      more = batch.length > 0;
    }
  } finally {
    module.C_FindObjectsFinal(handle);
  }
  if (keys.length === 0 && !session.isLoggedIn(handle)) throw loggedOut();
  return keys;
}

function requireFit(session: Pkcs11Session, handle: Handle, key: Handle, use: KeyUse): void {
  const attribute = (type: number) => {
    const [found] = session.module.C_GetAttributeValue(handle, key, [{ type }]);
    return found?.value ?? Buffer.alloc(0);
  };
  const number = (type: number) => {
    const value = attribute(type);
    return value.byteLength >= 4 ? value.readUInt32LE() : null;
  };
  const is = (type: number) => attribute(type)[0] === 1;
  try {
    // Another type has no CKA_VALUE_LEN to ask for: SoftHSM answers CKR_ATTRIBUTE_TYPE_INVALID for a triple-DES key.
    if (number(CK.CKA_KEY_TYPE) !== CK.CKK_AES || number(CK.CKA_VALUE_LEN) !== 32) {
      throw unfit('The key must be an AES key of 256 bits');
    }
    if (!is(CK.CKA_DECRYPT)) throw unfit('The key must be allowed to decrypt: CKA_DECRYPT');
    // What was sealed stays readable, whatever an operator took from an old generation.
    if (use === 'open') return;
    if (!is(CK.CKA_ENCRYPT)) throw unfit('The key must be allowed to encrypt: CKA_ENCRYPT');
    if (!is(CK.CKA_SENSITIVE) || is(CK.CKA_EXTRACTABLE)) {
      throw unfit('The key must not be extractable: CKA_SENSITIVE true and CKA_EXTRACTABLE false');
    }
  } catch (error) {
    if (isOneOf(CKR.refused, error)) throw unfit('The key does not tell its attributes');
    throw error;
  }
}

function cacheKey({ label, id }: Pkcs11KeyName, use: KeyUse): string {
  return `${use} ${id} ${label}`;
}

export function unfit(message: string): Pkcs11Failure {
  return new Pkcs11Failure('externalKey', message);
}

/** As if the module had said it: so the session is opened anew. */
function loggedOut(): Error {
  return Object.assign(new Error('CKR_USER_NOT_LOGGED_IN'), { code: 0x101 });
}
