import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { answerCall } from '../../../../src/kms/providers/pkcs11/calls.ts';
import type { Pkcs11Call, Pkcs11Result } from '../../../../src/kms/providers/pkcs11/messages.ts';
import {
  type CryptokiModule,
  type Handle,
  CK,
  loadCryptoki,
} from '../../../../src/kms/providers/pkcs11/module.ts';
import { Pkcs11Session } from '../../../../src/kms/providers/pkcs11/session.ts';
import { missingForSoftHsm, TestToken } from '../../../support/softhsm.ts';

const missing = await missingForSoftHsm();
if (missing) process.stderr.write(`The tests of PKCS#11 sessions are skipped. ${missing}\n`);

type More = CryptokiModule & { C_Logout(session: Handle): void; C_CloseAllSessions(slot: Handle): void };

describe.skipIf(missing !== null)('a session with a token', () => {
  let token: TestToken;
  let session: Pkcs11Session;
  let module: More;
  beforeAll(async () => {
    token = await TestToken.make();
    await token.generate('payments', '01');
  });
  afterAll(() => token.remove());

  beforeEach(async () => {
    process.env['SOFTHSM2_CONF'] = token.softHsmConfig;
    const { module: path, tokenLabel } = token.config();
    session = Pkcs11Session.load(await loadCryptoki(), { module: path, tokenLabel, pin: token.pin });
    module = session.module as More;
  });
  afterEach(() => {
    session.close();
    delete process.env['SOFTHSM2_CONF'];
  });

  const key = { label: 'payments', id: '01' };
  const context = Buffer.from('context');
  const ask = (call: Exclude<Pkcs11Call, { call: 'load' }>) => answerCall(session, call);
  const bytesOf = (result: Pkcs11Result) => {
    if (!result || !('bytes' in result)) throw new Error('no bytes');
    return Buffer.from(result.bytes);
  };
  const roundTrip = () => {
    const bytes = randomBytes(32);
    const wrapped = bytesOf(ask({ call: 'wrap', key, bytes, context }));
    expect(bytesOf(ask({ call: 'unwrap', key, bytes: wrapped, context })).equals(bytes)).toBe(true);
  };
  /** The session's own handle, as the library would lose it. */
  const handle = () => session.run((open) => open);

  it('logs in again after somebody logged it out', () => {
    roundTrip();
    module.C_Logout(handle());
    roundTrip();
  });

  it('does not take a logged out token for an empty one', () => {
    handle();
    module.C_Logout(handle());
    expect(ask({ call: 'create', label: 'payments' })).toEqual({ id: '01' });
  });

  it('opens a new session after the old one was closed', () => {
    roundTrip();
    module.C_CloseSession(handle());
    roundTrip();
  });

  it('starts anew after the library was finalised', () => {
    roundTrip();
    module.C_Finalize();
    roundTrip();
  });

  it('works on after an operation that was left active', () => {
    roundTrip();
    module.C_FindObjectsInit(handle(), [{ type: CK.CKA_LABEL, value: 'payments' }]);
    expect(ask({ call: 'create', label: 'payments' })).toEqual({ id: '01' });
    roundTrip();
  });

  it('finds a key again that was replaced under its name', async () => {
    roundTrip();
    const [found] = session.found.values();
    if (!found) throw new Error('nothing was found');
    session.writing((writing) => module.C_DestroyObject(writing, found));
    expect(() => roundTrip()).toThrow('The token has no secret key with this CKA_LABEL and CKA_ID');
    session.close();
    await token.generate('payments', '01');
    roundTrip();
  });

  it('fails the second time, and does not try for ever', () => {
    let tries = 0;
    expect(() =>
      session.run((open) => {
        tries += 1;
        module.C_CloseSession(open);
        return module.C_GetSessionInfo(open);
      }),
    ).toThrow('The token answered CKR_SESSION_HANDLE_INVALID');
    expect(tries).toBe(2);
  });
});
