import { authenticates, decrypt, encrypt } from './cipher.ts';
import { findKey, findNewest, generateKey, unfit } from './keys.ts';
import { type Pkcs11Call, type Pkcs11KeyName, type Pkcs11Result, Pkcs11Failure } from './messages.ts';
import { type Handle, CKR, isOneOf } from './module.ts';
import type { Pkcs11Session } from './session.ts';

/** Answers one call in the session. Throws `Pkcs11Failure`. */
export function answerCall(
  session: Pkcs11Session,
  call: Exclude<Pkcs11Call, { call: 'load' }>,
): Pkcs11Result {
  return session.run((handle) => {
    switch (call.call) {
      case 'create': {
        const id = findNewest(session, handle, call.label);
        requireWorking(session, handle, { label: call.label, id });
        return { id };
      }
      case 'rotate': {
        // The generation before must be there, now: a label alone could be anybody's.
        session.found.clear();
        findKey(session, handle, call.key, 'seal');
        return { id: rotate(session, handle, call.key.label) };
      }
      case 'describe':
        session.found.clear();
        findKey(session, handle, call.key, 'seal');
        return null;
      case 'wrap': {
        const key = findKey(session, handle, call.key, 'seal');
        return { bytes: encrypt(session, handle, key, bufferOf(call.bytes), bufferOf(call.context)) };
      }
      case 'unwrap': {
        const key = findKey(session, handle, call.key, 'open');
        return { bytes: decrypt(session, handle, key, bufferOf(call.bytes), bufferOf(call.context)) };
      }
    }
  });
}

function rotate(session: Pkcs11Session, handle: Handle, label: string): string {
  let made: { readonly key: Handle; readonly id: string };
  try {
    made = generateKey(session, label);
  } catch (error) {
    if (isOneOf(CKR.refused, error)) throw unfit('The token does not let a new key be made for this user');
    throw error;
  }
  try {
    requireWorking(session, handle, { label, id: made.id });
  } catch (error) {
    try {
      session.writing((writing) => session.module.C_DestroyObject(writing, made.key));
    } catch {
      // It stays behind, which harms nobody; why it does not work matters more.
    }
    throw error;
  }
  return made.id;
}

function requireWorking(session: Pkcs11Session, handle: Handle, name: Pkcs11KeyName): void {
  const key = findKey(session, handle, name, 'seal');
  try {
    if (authenticates(session, handle, key)) return;
  } catch (error) {
    if (!isOneOf(CKR.refused, error)) throw error;
  }
  throw unfit('The token does not seal and open with CKM_AES_GCM under this key');
}

/** The memory itself, so that zeroing one zeroes the other. */
function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** What goes back to the gateway: our own words, never an error's. */
export function tellFailure(error: unknown): {
  readonly kind: Pkcs11Failure['kind'];
  readonly message: string;
} {
  if (error instanceof Pkcs11Failure) return { kind: error.kind, message: error.message };
  return { kind: 'unavailable', message: 'The PKCS#11 call failed' };
}
