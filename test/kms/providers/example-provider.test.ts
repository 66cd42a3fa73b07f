import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { DecryptionFailedError } from '../../../src/errors.ts';
import { SecretBytes } from '../../../src/kms/envelope/secret-bytes.ts';
import { ExternalKeyError, type KmsKeyReference, type KmsProvider } from '../../../src/kms/provider.ts';

interface Example {
  readonly DirectoryProvider: new (config: {
    readonly name: string;
    readonly directory: string;
    readonly timeoutMs: number;
  }) => KmsProvider;
}
const ROOT = resolve(import.meta.dirname, '../../..');
const key: KmsKeyReference = {
  ...{ organisation: 'acme', region: 'local-1', project: '', identity: 'kms-1' },
  ...{ keyType: 'AES256_GCM96', externalKeyId: 'acme-key' },
};
const context = Buffer.from('the row');
const directory = mkdtempSync(join(tmpdir(), 'strongroom-'));
let provider: KmsProvider;

beforeAll(async () => {
  const [, code = ''] = /```ts\n(.*?)```/s.exec(readFileSync(join(ROOT, 'docs/kms/README.md'), 'utf8')) ?? [];
  const file = join(directory, 'directory-provider.ts');
  const { pathname: kms } = pathToFileURL(join(ROOT, 'src/kms'));
  writeFileSync(file, code.replaceAll("'../../", `'${kms}/`).replaceAll("'../", `'${kms}/providers/`));
  const { DirectoryProvider } = (await import(file)) as Example;
  writeFileSync(join(directory, 'acme-key'), randomBytes(32));
  writeFileSync(join(directory, 'short'), randomBytes(31));
  provider = new DirectoryProvider({ name: 'directory', directory, timeoutMs: 1000 });
});
afterAll(() => rmSync(directory, { recursive: true }));

it('the provider of the documentation refuses keys that are not there or not fit', async () => {
  for (const externalKeyId of ['none', 'short', '../acme-key', '', null])
    await expect(provider.create({ ...key, externalKeyId })).rejects.toBeInstanceOf(ExternalKeyError);
  const first = await provider.create(key);
  await expect(provider.rotate(key, first)).rejects.toBeInstanceOf(ExternalKeyError);
});

it('the provider of the documentation opens what it wrapped, in its context and after a rotation', async () => {
  const first = await provider.create(key);
  const dataKey = new SecretBytes(randomBytes(32));
  const wrapped = await provider.wrap(key, first, dataKey, context);
  const altered = Buffer.from(wrapped);
  altered[20] = (altered[20] ?? 0) ^ 1;
  await expect(provider.unwrap(key, first, altered, context)).rejects.toBeInstanceOf(DecryptionFailedError);
  const other = Buffer.from('another row');
  await expect(provider.unwrap(key, first, wrapped, other)).rejects.toBeInstanceOf(DecryptionFailedError);
  writeFileSync(join(directory, 'acme-key.2'), randomBytes(32));
  const second = await provider.rotate(key, first);
  expect(second).toMatchObject({ number: 2, externalVersion: 'acme-key.2' });
  await expect(provider.unwrap(key, second, wrapped, context)).rejects.toBeInstanceOf(DecryptionFailedError);
  const opened = await provider.unwrap(key, first, wrapped, context);
  expect(opened.reveal().equals(dataKey.reveal())).toBe(true);
  rmSync(join(directory, 'acme-key'));
  const failure = await provider.unwrap(key, first, wrapped, context).catch((error: unknown) => error);
  expect(failure).not.toBeInstanceOf(DecryptionFailedError);
  expect(await provider.describe(key, first)).toEqual({ usable: false });
});
