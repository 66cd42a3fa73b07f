import { randomBytes } from 'node:crypto';
import { Pkcs11Failure } from './messages.ts';
import { type GcmMechanism, type Handle, CK, CKR, isOneOf } from './module.ts';
import type { Pkcs11Session } from './session.ts';

const FORMAT = 1;
const IV_BYTES = 12;
const TAG_BYTES = 16;
const DATA_KEY_BYTES = 32;
const WRAPPED_BYTES = 1 + IV_BYTES + DATA_KEY_BYTES + TAG_BYTES;

/**
 * CKM_AES_GCM as in NIST SP 800-38D: a random 96-bit IV, a 128-bit tag, the context as additional authenticated data.
 * The result is a format byte (1), the IV, the ciphertext and the tag: 61 bytes for a data key of 32.
 */
export function encrypt(
  session: Pkcs11Session,
  handle: Handle,
  key: Handle,
  plaintext: Buffer,
  context: Buffer,
): Buffer {
  const iv = randomBytes(IV_BYTES);
  session.module.C_EncryptInit(handle, gcm(session, iv, context), key);
  // One block to spare: some modules ask for more than they fill.
  const room = Buffer.alloc(plaintext.byteLength + 2 * TAG_BYTES);
  const sealed = session.module.C_Encrypt(handle, plaintext, room);
  if (sealed.byteLength !== plaintext.byteLength + TAG_BYTES) {
    throw new Pkcs11Failure('unavailable', 'The token did not seal with a tag of 128 bits');
  }
  return Buffer.concat([Buffer.of(FORMAT), iv, sealed]);
}

/**
 * Opens what `encrypt` made; throws a failure of the kind `decryption` when it does not open.
 *
 * Seen in SoftHSM 2.6.1: for another context, a flipped bit in IV, ciphertext or tag, and a cut or lengthened text,
 * `C_Decrypt` returns CKR_GENERAL_ERROR, and the session can be used on. An empty text it takes for a question after the
 * length of the result: it says CKR_OK and the operation stays active, so that every later one gets
 * CKR_OPERATION_ACTIVE; hence the check of the length before anything is asked. Newer ones and other tokens return
 * CKR_ENCRYPTED_DATA_INVALID. A destroyed key, a logout: CKR_OBJECT_HANDLE_INVALID. A closed session:
 * CKR_SESSION_HANDLE_INVALID. Because CKR_GENERAL_ERROR may also mean a sick token, that is sorted out by a trial: if
 * the same key still seals and opens, the text was at fault.
 */
export function decrypt(
  session: Pkcs11Session,
  handle: Handle,
  key: Handle,
  wrapped: Buffer,
  context: Buffer,
): Buffer {
  if (wrapped.byteLength !== WRAPPED_BYTES || wrapped[0] !== FORMAT) throw doesNotOpen();
  try {
    return open(session, handle, key, wrapped, context);
  } catch (error) {
    if (isOneOf(CKR.doesNotOpen, error)) throw doesNotOpen();
    if (isOneOf(CKR.unclear, error) && works(session, handle, key)) throw doesNotOpen();
    throw error;
  }
}

/**
 * Seals and opens something made up, and sees that it does not open with another context: a module that takes the
 * parameters of CKM_AES_GCM in another shape might leave the context out.
 */
export function authenticates(session: Pkcs11Session, handle: Handle, key: Handle): boolean {
  const probe = randomBytes(DATA_KEY_BYTES);
  const wrapped = encrypt(session, handle, key, probe, Buffer.from('strongroom/trial'));
  if (!open(session, handle, key, wrapped, Buffer.from('strongroom/trial')).equals(probe)) return false;
  try {
    open(session, handle, key, wrapped, Buffer.from('strongroom/other'));
    return false;
  } catch (error) {
    if (isOneOf([...CKR.doesNotOpen, ...CKR.unclear], error)) return true;
    throw error;
  }
}

function works(session: Pkcs11Session, handle: Handle, key: Handle): boolean {
  const probe = randomBytes(DATA_KEY_BYTES);
  const context = Buffer.from('strongroom/trial');
  try {
    return open(session, handle, key, encrypt(session, handle, key, probe, context), context).equals(probe);
  } catch {
    return false;
  }
}

function open(session: Pkcs11Session, handle: Handle, key: Handle, wrapped: Buffer, context: Buffer): Buffer {
  const iv = wrapped.subarray(1, 1 + IV_BYTES);
  const sealed = wrapped.subarray(1 + IV_BYTES);
  const room = Buffer.alloc(sealed.byteLength);
  try {
    session.module.C_DecryptInit(handle, gcm(session, iv, context), key);
    const plaintext = session.module.C_Decrypt(handle, sealed, room);
    if (plaintext.byteLength !== DATA_KEY_BYTES) throw doesNotOpen();
    return plaintext;
  } catch (error) {
    room.fill(0);
    throw error;
  }
}

/** CK_GCM_PARAMS with `ulIvBits`, as in the header of PKCS#11 2.40 errata 1 and 3.0. */
function gcm(session: Pkcs11Session, iv: Buffer, aad: Buffer): GcmMechanism {
  const parameter = { type: session.gcmParameters, iv, ivBits: 8 * IV_BYTES, aad, tagBits: 8 * TAG_BYTES };
  return { mechanism: CK.CKM_AES_GCM, parameter };
}

function doesNotOpen(): Pkcs11Failure {
  return new Pkcs11Failure('decryption', 'The wrapped data key does not open');
}
