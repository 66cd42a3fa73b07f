import { spawn } from 'node:child_process';
import { createDecipheriv, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { DecryptionFailedError } from '../../../../src/errors.ts';
import { SecretBytes } from '../../../../src/kms/envelope/secret-bytes.ts';
import {
  ExternalKeyError,
  type KmsKeyGeneration,
  type KmsKeyReference,
} from '../../../../src/kms/provider.ts';
import type { Pkcs11Config } from '../../../../src/kms/providers/pkcs11/config.ts';
import { CK } from '../../../../src/kms/providers/pkcs11/module.ts';
import { Pkcs11Provider } from '../../../../src/kms/providers/pkcs11/provider.ts';
import { makeHangingModule, missingForSoftHsm, TestToken } from '../../../support/softhsm.ts';

const missing = await missingForSoftHsm();
if (missing) process.stderr.write(`The tests of the PKCS#11 provider are skipped. ${missing}\n`);

const CONTEXT = Buffer.from('organisation, region, path, version');
const PARENT = join(import.meta.dirname, '../../../support/pkcs11-parent.ts');
const KEY_GEN_DES3 = 0x131;
const DES3 = 0x15;

describe.skipIf(missing !== null)('the PKCS#11 provider with a SoftHSM2 token', () => {
  let token: TestToken;
  let provider: Pkcs11Provider;
  beforeAll(async () => {
    token = await TestToken.make();
    await token.generate('payments', '01');
    provider = new Pkcs11Provider(token.config());
  });
  afterAll(async () => {
    await provider.close();
    await token.remove();
  });

  const other = (changed: Partial<Record<keyof Pkcs11Config, unknown>>) => {
    const made = new Pkcs11Provider(token.config(changed));
    onTestFinished(() => made.close());
    return made;
  };
  const dataKey = () => new SecretBytes(randomBytes(32));
  const roundTrip = async (using: Pkcs11Provider, key: KmsKeyReference, generation: KmsKeyGeneration) => {
    const secret = dataKey();
    const wrapped = await using.wrap(key, generation, secret, CONTEXT);
    const opened = await using.unwrap(key, generation, wrapped, CONTEXT);
    expect(opened.reveal().equals(secret.reveal())).toBe(true);
    return wrapped;
  };

  describe('refuses to bind', () => {
    const refusal = async (label: string | null, changed: Partial<KmsKeyReference> = {}) => {
      const error: unknown = await provider
        .create({ ...keyNamed(label), ...changed })
        .catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(ExternalKeyError);
      return (error as Error).message;
    };

    it('ChaCha20-Poly1305', async () => {
      expect(provider.keyTypes).toEqual(['AES256_GCM96']);
      expect(await refusal('payments', { keyType: 'CHACHA20_POLY1305' })).toMatch('AES256_GCM96');
    });

    it('a key without a label', async () => {
      expect(await refusal(null)).toMatch('needs an externalKeyId');
    });

    it('a label that the token does not have', async () => {
      expect(await refusal('nowhere')).toBe('The token has no secret key with this CKA_LABEL');
    });

    it('a key that could be extracted', async () => {
      await token.generate('extractable', '02', { [CK.CKA_EXTRACTABLE]: true });
      expect(await refusal('extractable')).toMatch('CKA_EXTRACTABLE false');
    });

    it('a key whose bytes could be read', async () => {
      await token.generate('readable', '03', { [CK.CKA_SENSITIVE]: false });
      expect(await refusal('readable')).toMatch('CKA_SENSITIVE true');
    });

    it('an AES key of 128 bits', async () => {
      await token.generate('short', '04', { [CK.CKA_VALUE_LEN]: 16 });
      expect(await refusal('short')).toBe('The key must be an AES key of 256 bits');
    });

    it('a key of another type', async () => {
      await token.use((module, session) =>
        module.C_GenerateKey(session, { mechanism: KEY_GEN_DES3 }, [
          { type: CK.CKA_KEY_TYPE, value: DES3 },
          { type: CK.CKA_TOKEN, value: true },
          { type: CK.CKA_LABEL, value: 'triple' },
          { type: CK.CKA_ID, value: Buffer.of(5) },
        ]),
      );
      expect(await refusal('triple')).toBe('The key must be an AES key of 256 bits');
    });

    it('a key that may not encrypt, or not decrypt', async () => {
      await token.generate('no-encrypt', '06', { [CK.CKA_ENCRYPT]: false });
      await token.generate('no-decrypt', '07', { [CK.CKA_DECRYPT]: false });
      expect(await refusal('no-encrypt')).toMatch('CKA_ENCRYPT');
      expect(await refusal('no-decrypt')).toMatch('CKA_DECRYPT');
    });

    it('a label that two keys have', async () => {
      await token.generate('two', '08');
      await token.generate('two', '09');
      expect(await refusal('two')).toMatch('several secret keys');
    });

    it('a label and CKA_ID that two keys have', async () => {
      await token.generate('twins', '0a');
      await token.generate('twins', '0a');
      expect(await refusal('twins')).toMatch('several secret keys');
    });

    it('a key without a CKA_ID', async () => {
      await token.generate('nameless', '');
      expect(await refusal('nameless')).toMatch('needs a CKA_ID');
    });
  });

  it('does not open with another context, another key, or another generation', async () => {
    const key = keyNamed('payments');
    const generation = await provider.create(key);
    const wrapped = await roundTrip(provider, key, generation);
    await token.generate('neighbour', '0b');
    const neighbour = keyNamed('neighbour');
    const bound = await provider.create(neighbour);
    for (const attempt of [
      () => provider.unwrap(key, generation, wrapped, Buffer.from('organisation, region, path, versioN')),
      () => provider.unwrap(key, generation, wrapped, Buffer.alloc(0)),
      () => provider.unwrap(neighbour, bound, wrapped, CONTEXT),
    ]) {
      await expect(attempt()).rejects.toBeInstanceOf(DecryptionFailedError);
    }
    await roundTrip(provider, key, generation);
  });

  it('does not open with any one of the 488 bits flipped, and works on after each', async () => {
    const key = keyNamed('payments');
    const generation = await provider.create(key);
    const wrapped = await roundTrip(provider, key, generation);
    const { pid } = provider;
    expect(wrapped.byteLength).toBe(61);
    const flipped = Array.from({ length: 8 * wrapped.byteLength }, (_, bit) => {
      const copy = Buffer.from(wrapped);
      copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      return copy;
    });
    expect(flipped).toHaveLength(488);
    for (const bytes of flipped) {
      await expect(provider.unwrap(key, generation, bytes, CONTEXT)).rejects.toBeInstanceOf(
        DecryptionFailedError,
      );
    }
    await roundTrip(provider, key, generation);
    expect(provider.pid).toBe(pid);
  });

  it('does not open a text that is cut, lengthened or empty', async () => {
    const key = keyNamed('payments');
    const generation = await provider.create(key);
    const wrapped = Buffer.from(await roundTrip(provider, key, generation));
    for (const bytes of [
      ...[0, 1, 13, 28, 60].map((length) => wrapped.subarray(0, length)),
      Buffer.concat([wrapped, Buffer.of(0)]),
    ]) {
      await expect(provider.unwrap(key, generation, bytes, CONTEXT)).rejects.toBeInstanceOf(
        DecryptionFailedError,
      );
    }
    await roundTrip(provider, key, generation);
  });

  it('seals as NIST SP 800-38D says: format 1, IV, ciphertext, tag, with the context authenticated', async () => {
    const material = randomBytes(32);
    await token.import('known', '0c', material);
    const key = keyNamed('known');
    const generation = await provider.create(key);
    expect(generation).toEqual({ number: 1, wrappedMaterial: null, rootKeyId: null, externalVersion: '0c' });
    const secret = dataKey();
    const wrapped = await provider.wrap(key, generation, secret, CONTEXT);
    expect(wrapped[0]).toBe(1);
    const decipher = createDecipheriv('aes-256-gcm', material, wrapped.subarray(1, 13));
    decipher.setAAD(CONTEXT).setAuthTag(wrapped.subarray(45));
    const opened = Buffer.concat([decipher.update(wrapped.subarray(13, 45)), decipher.final()]);
    expect(opened.equals(secret.reveal())).toBe(true);
  });

  it('never seals twice alike', async () => {
    const key = keyNamed('payments');
    const generation = await provider.create(key);
    const secret = dataKey();
    const all = await Promise.all(
      Array.from({ length: 20 }, () => provider.wrap(key, generation, secret, CONTEXT)),
    );
    expect(new Set(all.map((wrapped) => Buffer.from(wrapped.subarray(0, 13)).toString('hex'))).size).toBe(20);
  });

  it('answers calls made at once, each its own', async () => {
    const key = keyNamed('payments');
    const generation = await provider.create(key);
    await Promise.all(Array.from({ length: 50 }, () => roundTrip(provider, key, generation)));
  });

  describe('rotating', () => {
    it('makes a key that cannot be extracted and may do nothing but encrypt and decrypt', async () => {
      await token.generate('rotating', '0d');
      const key = keyNamed('rotating');
      const first = await provider.create(key);
      const second = await provider.rotate(key, first);
      expect(second.number).toBe(2);
      expect(second.externalVersion).toMatch(/^7372[0-9a-f]{28}$/);
      const id = second.externalVersion ?? '';
      const yes = [CK.CKA_TOKEN, CK.CKA_PRIVATE, CK.CKA_SENSITIVE, CK.CKA_ENCRYPT, CK.CKA_DECRYPT];
      const no = [CK.CKA_EXTRACTABLE, CK.CKA_WRAP, CK.CKA_UNWRAP, CK.CKA_SIGN, CK.CKA_DERIVE];
      expect(await token.attributes('rotating', id, yes)).toEqual([yes.map(() => '01')]);
      expect(await token.attributes('rotating', id, no)).toEqual([no.map(() => '00')]);
      await expect(token.values('rotating')).rejects.toThrow('CKR_ATTRIBUTE_SENSITIVE');
    });

    it('leaves the old generations to open what they sealed, and only that', async () => {
      await token.generate('growing', '0e');
      const key = keyNamed('growing');
      const first = await provider.create(key);
      const old = await roundTrip(provider, key, first);
      const second = await provider.rotate(key, first);
      const third = await provider.rotate(key, second);
      await roundTrip(provider, key, third);
      await provider.unwrap(key, first, old, CONTEXT);
      await expect(provider.unwrap(key, third, old, CONTEXT)).rejects.toBeInstanceOf(DecryptionFailedError);
      const bound = await provider.create(key);
      expect(bound.externalVersion).toBe(third.externalVersion);
    });

    it('is refused when the generation before is not in the token', async () => {
      await token.generate('vanishing', '0f');
      const key = keyNamed('vanishing');
      const first = await provider.create(key);
      await token.destroy('vanishing', '0f');
      await expect(provider.rotate(key, first)).rejects.toBeInstanceOf(ExternalKeyError);
    });
  });

  it('describes a generation as usable while its key is in the token, and fails plainly without it', async () => {
    await token.generate('leaving', '10');
    const key = keyNamed('leaving');
    const generation = await provider.create(key);
    const wrapped = await roundTrip(provider, key, generation);
    expect(await provider.describe(key, generation)).toEqual({ usable: true });
    await token.destroy('leaving', '10');
    expect(await provider.describe(key, generation)).toEqual({ usable: false });
    const error: unknown = await provider
      .unwrap(key, generation, wrapped, CONTEXT)
      .catch((thrown: unknown) => thrown);
    expect(error).not.toBeInstanceOf(DecryptionFailedError);
    expect(error).toMatchObject({ message: expect.stringContaining('no secret key') as string });
  });

  it('seals under neither of two keys with one label and CKA_ID, when a second was put beside the bound one', async () => {
    await token.generate('doubled', '11');
    const key = keyNamed('doubled');
    const generation = await provider.create(key);
    await token.generate('doubled', '11');
    const fresh = other({});
    await expect(fresh.wrap(key, generation, dataKey(), CONTEXT)).rejects.toThrow('several secret keys');
    expect(await fresh.describe(key, generation)).toEqual({ usable: false });
  });

  describe('the PIN', () => {
    it('that is wrong fails plainly, quoted nowhere, and is sent to the token once', async () => {
      const wrong = other({ pin: 'canary-wrong-pin' });
      for (const expected of ['CKR_PIN_INCORRECT', 'not tried again', 'not tried again']) {
        const error = (await wrong.create(keyNamed('payments')).catch((thrown: unknown) => thrown)) as Error;
        expect(error).not.toBeInstanceOf(ExternalKeyError);
        expect(error.message).toMatch(expected);
        expect(`${error.message} ${error.stack ?? ''}`).not.toMatch(/canary/);
      }
    });

    it('is read from a file, and again after the token refused it', async () => {
      const pinFile = join(token.folder, 'pin');
      await writeFile(pinFile, 'canary-wrong-pin\n');
      const provider = other({ pin: undefined, pinFile });
      await expect(provider.create(keyNamed('payments'))).rejects.toThrow('CKR_PIN_INCORRECT');
      await writeFile(pinFile, `${token.pin}\n`);
      await provider.create(keyNamed('payments'));
    });

    it('stands in no argument and no variable of the process', async () => {
      const key = keyNamed('payments');
      await provider.create(key);
      for (const file of ['cmdline', 'environ']) {
        const text = await readFile(`/proc/${provider.pid ?? 0}/${file}`, 'latin1');
        expect(text).not.toMatch(/canary/);
        expect(text).not.toMatch(/DATABASE_URL|STRONGROOM|PATH=/);
      }
    });
  });

  describe('a module or token that is not there', () => {
    it('fails plainly: no such file', async () => {
      const error: unknown = await other({ module: '/usr/lib/nowhere.so' })
        .create(keyNamed('payments'))
        .catch((thrown: unknown) => thrown);
      expect(error).not.toBeInstanceOf(ExternalKeyError);
      expect(error).toMatchObject({
        message: expect.stringContaining('The PKCS#11 module cannot be loaded') as string,
      });
    });

    it('fails plainly: no such token', async () => {
      await expect(other({ tokenLabel: 'elsewhere' }).create(keyNamed('payments'))).rejects.toThrow(
        'has no token with this tokenLabel',
      );
    });

    it('does not make the service start processes without end: pauses grow with the failures', async () => {
      const broken = other({ module: '/usr/lib/nowhere.so' });
      const fail = () => broken.create(keyNamed('payments')).then(String, String);
      const reason = expect.stringContaining('cannot be loaded') as string;
      for (let failures = 0; failures < 4; failures++) expect(await fail()).toEqual(reason);
      const pauseEnds = Date.now() + 400;
      const fifth = fail();
      while (Date.now() < pauseEnds - 50) {
        expect(broken.pid).toBeUndefined();
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      expect(await fifth).toEqual(reason);
    });
  });

  describe('a process that is in trouble', () => {
    it('hangs: the call fails within the timeout, and the next one works', async () => {
      const hanging = other({ timeoutMs: 5_000 });
      const key = keyNamed('payments');
      const generation = await hanging.create(key);
      const pid = hanging.pid ?? 0;
      process.kill(pid, 'SIGSTOP');
      const began = Date.now();
      const calls = [1, 2].map(() => hanging.wrap(key, generation, dataKey(), CONTEXT));
      for (const settled of await Promise.allSettled(calls)) {
        expect(settled).toMatchObject({
          status: 'rejected',
          reason: { message: 'The KMS provider token did not answer within 5000 ms' },
        });
      }
      expect(Date.now() - began).toBeLessThan(7_500);
      await roundTrip(hanging, key, generation);
      expect(hanging.pid).not.toBe(pid);
      expect(isAlive(pid)).toBe(false);
    });

    it('hangs in a module that never answers: each call fails within the timeout, and none is left behind', async () => {
      const hanging = other({ module: await makeHangingModule(token.folder), timeoutMs: 700 });
      const pids: (number | undefined)[] = [];
      for (let call = 0; call < 3; call++) {
        const began = Date.now();
        const failed = hanging.create(keyNamed('payments'));
        await expect(failed).rejects.toThrow('did not answer within 700 ms');
        expect(Date.now() - began).toBeLessThan(2_500);
        pids.push(hanging.pid);
      }
      await hanging.close();
      expect(pids.filter((pid) => pid !== undefined && isAlive(pid))).toEqual([]);
    });

    it('ends with the service that started it, even while it hangs', async () => {
      const hanging = { module: await makeHangingModule(token.folder) };
      for (const config of [token.config(), token.config(hanging)]) {
        const parent = spawn(process.execPath, [PARENT, JSON.stringify(config)], {
          stdio: ['ignore', 'pipe', 'inherit'],
        });
        onTestFinished(() => void parent.kill('SIGKILL'));
        const [line] = (await once(parent.stdout, 'data')) as [Buffer];
        const pid = Number(line.toString('utf8'));
        expect(isAlive(pid)).toBe(true);
        parent.kill('SIGKILL');
        await expect.poll(() => isAlive(pid), { timeout: 10_000 }).toBe(false);
      }
    });

    it('is killed between two calls: the next one works', async () => {
      const killed = other({});
      const key = keyNamed('payments');
      const generation = await killed.create(key);
      const pid = killed.pid ?? 0;
      process.kill(pid, 'SIGKILL');
      await roundTrip(killed, key, generation);
      expect(killed.pid).not.toBe(pid);
    });

    it('is killed during a call: the next process answers it, but for rotate, which could make two keys', async () => {
      const killed = other({});
      const key = keyNamed('payments');
      const generation = await killed.create(key);
      const kill = () => {
        const pid = killed.pid ?? 0;
        process.kill(pid, 'SIGSTOP');
        setImmediate(() => process.kill(pid, 'SIGKILL'));
      };
      kill();
      await Promise.all([1, 2].map(() => killed.wrap(key, generation, dataKey(), CONTEXT)));
      kill();
      await expect(killed.rotate(key, generation)).rejects.toThrow(
        'The process of the KMS provider token ended',
      );
      expect(await killed.create(key)).toEqual(generation);
    });

    it('stays when Ctrl+C or a service manager signals every process, so that the service can finish', async () => {
      const key = keyNamed('payments');
      const generation = await provider.create(key);
      const pid = provider.pid ?? 0;
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.kill(pid, signal);
      await roundTrip(provider, key, generation);
      expect(provider.pid).toBe(pid);
    });

    it('ends when the provider is closed, even while it hangs, and takes no calls any more', async () => {
      const [idle, hanging] = [other({}), other({})];
      const pids: number[] = [];
      for (const one of [idle, hanging]) {
        await one.create(keyNamed('payments'));
        pids.push(one.pid ?? 0);
      }
      process.kill(pids[1] ?? 0, 'SIGSTOP');
      const call = hanging.create(keyNamed('payments'));
      const closing = Promise.all([idle.close(), hanging.close()]);
      await expect(call).rejects.toThrow('was closed');
      await closing;
      expect(pids.map(isAlive)).toEqual([false, false]);
      await expect(idle.create(keyNamed('payments'))).rejects.toThrow('is closed');
    });
  });

  it('opens without a token that answers, so that the service starts', async () => {
    const opened = await Pkcs11Provider.open(token.config({ module: '/usr/lib/nowhere.so' }));
    await opened.close();
    expect(opened).toMatchObject({ name: 'token', remote: true });
  });
});

function keyNamed(externalKeyId: string | null): KmsKeyReference {
  const scope = { organisation: 'acme', region: 'local-1', project: '', identity: 'kms-1' };
  return { ...scope, keyType: 'AES256_GCM96', externalKeyId };
}

/** A process that was killed and not yet waited for still has an entry. */
function isAlive(pid: number): boolean {
  const stat = `/proc/${pid}/stat`;
  return existsSync(stat) && !/\) [ZX] /.test(readFileSync(stat, 'latin1'));
}
