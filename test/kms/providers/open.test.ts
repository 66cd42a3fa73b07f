import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { kmsProviderListSchema } from '../../../src/kms/providers/config.ts';
import { openProviders } from '../../../src/kms/providers/open.ts';

const vault = {
  ...{ name: 'vault', kind: 'transit', address: 'https://vault.example.com', token: 'token' },
  externalKeys: {},
};
const aws = { name: 'aws', kind: 'aws-kms', region: 'eu-central-1', externalKeys: {} };
const open = (list: readonly object[]) => openProviders(kmsProviderListSchema(true).parse(list));

it('providers that cannot all be opened are none', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'strongroom-'));
  const tokenFile = join(directory, 'token');
  writeFileSync(tokenFile, 'token');
  const configs = kmsProviderListSchema(true).parse([aws, { ...vault, token: undefined, tokenFile }]);
  rmSync(directory, { recursive: true });
  await expect(openProviders(configs)).rejects.toThrow('names a file that cannot be read');
});

it('providers are opened in their order, each under its name, and reach nothing before they are asked', async () => {
  const providers = await open([vault, aws, { ...vault, name: 'bao' }]);
  expect(providers.map(({ name, remote, keyTypes }) => ({ name, remote, keyTypes }))).toEqual([
    { name: 'vault', remote: true, keyTypes: ['AES256_GCM96', 'CHACHA20_POLY1305'] },
    { name: 'aws', remote: true, keyTypes: ['AES256_GCM96'] },
    { name: 'bao', remote: true, keyTypes: ['AES256_GCM96', 'CHACHA20_POLY1305'] },
  ]);
  await Promise.all(providers.map((provider) => provider.close()));
  expect(await open([])).toEqual([]);
});
