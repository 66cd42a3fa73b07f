import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Pkcs11Config, pkcs11ConfigSchema } from '../../src/kms/providers/pkcs11/config.ts';
import {
  type Attribute,
  type CryptokiModule,
  type Handle,
  CK,
  loadCryptoki,
} from '../../src/kms/providers/pkcs11/module.ts';

/** Where Debian, Fedora and Homebrew put it. */
const MODULE = [
  '/usr/lib/softhsm/libsofthsm2.so',
  '/usr/lib64/pkcs11/libsofthsm2.so',
  '/opt/homebrew/lib/softhsm/libsofthsm2.so',
].find(existsSync);
const run = promisify(execFile);

/** What is missing for tests against a real token, in a sentence; null when nothing is. The package needs a compiler. */
export async function missingForSoftHsm(): Promise<string | null> {
  if (!MODULE) return 'SoftHSM2 is not installed: apt-get install softhsm2';
  try {
    await loadCryptoki();
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

/** A module that hangs as soon as it is asked anything: with it no thread of ours can help itself. */
export async function makeHangingModule(folder: string): Promise<string> {
  const [source, module] = [join(folder, 'hang.c'), join(folder, 'hang.so')];
  await writeFile(
    source,
    '#include <unistd.h>\nunsigned long C_GetFunctionList(void) { for (;;) pause(); }\n',
  );
  await run('cc', ['-shared', '-fPIC', '-o', module, source]);
  return module;
}

/** A SoftHSM2 token of its own in a temporary folder. */
export class TestToken {
  readonly label = 'strongroom-test';
  readonly pin = 'canary-pin-5f1c';
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async make(): Promise<TestToken> {
    const token = new TestToken(await mkdtemp(join(tmpdir(), 'strongroom-softhsm-')));
    await mkdir(join(token.folder, 'tokens'));
    await writeFile(token.softHsmConfig, `directories.tokendir = ${join(token.folder, 'tokens')}\n`);
    await run(
      'softhsm2-util',
      ['--init-token', '--free', '--label', token.label, '--so-pin', 'canary-so-pin', '--pin', token.pin],
      { env: { ...process.env, SOFTHSM2_CONF: token.softHsmConfig } },
    );
    return token;
  }

  get softHsmConfig(): string {
    return join(this.folder, 'softhsm2.conf');
  }

  /** A provider's configuration, as the environment would give it. */
  config(changed: Partial<Record<keyof Pkcs11Config, unknown>> = {}): Pkcs11Config {
    return pkcs11ConfigSchema.parse({
      ...{ name: 'token', kind: 'pkcs11', module: MODULE, tokenLabel: this.label, pin: this.pin },
      ...{ environment: { SOFTHSM2_CONF: this.softHsmConfig }, externalKeys: { acme: ['payments'] } },
      // Ample, for a machine under load: what is about time says its own.
      timeoutMs: 20_000,
      ...changed,
    });
  }

  /** Makes a key that is fit for use, but for what `attributes` say. */
  generate(
    label: string,
    id: string,
    attributes: Readonly<Record<number, number | boolean>> = {},
  ): Promise<void> {
    return this.use((module, session) => {
      module.C_GenerateKey(session, { mechanism: CK.CKM_AES_KEY_GEN }, keyTemplate(label, id, attributes));
    });
  }

  /** Puts in a key whose bytes the test knows. */
  import(label: string, id: string, material: Buffer): Promise<void> {
    return this.use((module, session) => {
      const template = keyTemplate(label, id, {}).filter(({ type }) => type !== CK.CKA_VALUE_LEN);
      module.C_CreateObject(session, [...template, { type: CKA_VALUE, value: material }]);
    });
  }

  async destroy(label: string, id: string): Promise<void> {
    await this.use((module, session) => {
      for (const key of findAll(module, session, label, id)) module.C_DestroyObject(session, key);
    });
  }

  /** The CKA_VALUEs of all keys of a label: throws what the token says to that. */
  values(label: string): Promise<unknown> {
    return this.use((module, session) =>
      findAll(module, session, label).map((key) =>
        module.C_GetAttributeValue(session, key, [{ type: CKA_VALUE }]),
      ),
    );
  }

  /** The attributes of the keys of a label and CKA_ID. */
  attributes(label: string, id: string, types: readonly number[]): Promise<string[][]> {
    return this.use((module, session) =>
      findAll(module, session, label, id).map((key) =>
        module
          .C_GetAttributeValue(
            session,
            key,
            types.map((type) => ({ type })),
          )
          .map(({ value }) => value.toString('hex')),
      ),
    );
  }

  /** Works in the token from this process, logged in. SoftHSM reads the variable when it is initialised. */
  async use<T>(work: (module: CryptokiModule, session: Handle) => T): Promise<T> {
    const cryptoki = await loadCryptoki();
    const module = new cryptoki.PKCS11();
    const before = process.env['SOFTHSM2_CONF'];
    process.env['SOFTHSM2_CONF'] = this.softHsmConfig;
    module.load(MODULE ?? '');
    module.C_Initialize();
    try {
      const slot = module
        .C_GetSlotList(true)
        .find((one) => module.C_GetTokenInfo(one).label.trimEnd() === this.label);
      if (!slot) throw new Error('The test token is gone');
      const session = module.C_OpenSession(slot, CK.CKF_SERIAL_SESSION | CK.CKF_RW_SESSION);
      module.C_Login(session, CK.CKU_USER, this.pin);
      return work(module, session);
    } finally {
      module.C_Finalize();
      if (before === undefined) delete process.env['SOFTHSM2_CONF'];
      else process.env['SOFTHSM2_CONF'] = before;
    }
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}

const CKA_VALUE = 0x11;

function keyTemplate(
  label: string,
  id: string,
  attributes: Readonly<Record<number, number | boolean>>,
): Attribute[] {
  const usual: Record<number, number | boolean | string | Buffer> = {
    [CK.CKA_CLASS]: CK.CKO_SECRET_KEY,
    [CK.CKA_KEY_TYPE]: CK.CKK_AES,
    [CK.CKA_VALUE_LEN]: 32,
    [CK.CKA_TOKEN]: true,
    [CK.CKA_PRIVATE]: true,
    [CK.CKA_SENSITIVE]: true,
    [CK.CKA_EXTRACTABLE]: false,
    [CK.CKA_ENCRYPT]: true,
    [CK.CKA_DECRYPT]: true,
    [CK.CKA_LABEL]: label,
    [CK.CKA_ID]: Buffer.from(id, 'hex'),
  };
  return Object.entries({ ...usual, ...attributes }).map(([type, value]) => ({ type: Number(type), value }));
}

function findAll(module: CryptokiModule, session: Handle, label: string, id?: string): Handle[] {
  module.C_FindObjectsInit(session, [
    { type: CK.CKA_LABEL, value: label },
    ...(id === undefined ? [] : [{ type: CK.CKA_ID, value: Buffer.from(id, 'hex') }]),
  ]);
  const keys = module.C_FindObjects(session, 100);
  module.C_FindObjectsFinal(session);
  return keys;
}
