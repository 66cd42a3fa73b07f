import { randomBytes } from 'node:crypto';
import { describe, expect } from 'vitest';
import type { KmsKeyReference, KmsKeyType } from '../../../src/kms/provider.ts';
import { awsKmsConfigSchema } from '../../../src/kms/providers/aws-kms/config.ts';
import { AwsKmsProvider } from '../../../src/kms/providers/aws-kms/provider.ts';
import { Pkcs11Provider } from '../../../src/kms/providers/pkcs11/provider.ts';
import { transitConfigSchema } from '../../../src/kms/providers/transit/config.ts';
import { TransitProvider } from '../../../src/kms/providers/transit/provider.ts';
import { startAwsKmsServer, testKmsKey } from '../../support/aws-kms-server.ts';
import { missingForSoftHsm, TestToken } from '../../support/softhsm.ts';
import { startTransitServer, testTransitKey } from '../../support/transit-server.ts';
import { describeProvider } from './provider-conformance.ts';

const missing = await missingForSoftHsm();
if (missing) process.stderr.write(`The conformance of the PKCS#11 provider is skipped. ${missing}\n`);

const TIMEOUT_MS = 20_000;
const referenceOf = (externalKeyId: string, keyType: KmsKeyType = 'AES256_GCM96'): KmsKeyReference => ({
  ...{ organisation: 'acme', region: 'local-1', project: '', identity: `kms-${externalKeyId}` },
  ...{ keyType, externalKeyId },
});

describe.skipIf(missing !== null)('with a SoftHSM2 token,', () => {
  describeProvider('pkcs11', async () => {
    const token = await TestToken.make();
    const [label, id, material] = ['payments', '01', randomBytes(32)];
    await token.import(label, id, material);
    await token.generate('orders', '02');
    const provider = new Pkcs11Provider(token.config());
    const away = new Pkcs11Provider(token.config({ tokenLabel: 'elsewhere' }));
    return {
      provider,
      reference: referenceOf(label),
      otherReference: referenceOf('orders'),
      disable: async () => {
        await token.destroy(label, id);
        return () => token.import(label, id, material);
      },
      outOfReach: () => Promise.resolve(away),
      close: async () => {
        await away.close();
        await token.remove();
      },
    };
  });
});

describeProvider('aws-kms', async () => {
  const region = 'eu-central-1';
  const arnOf = (id: string) => `arn:aws:kms:${region}:111122223333:key/${id}`;
  const arns = [
    arnOf('1234abcd-12ab-34cd-56ef-1234567890ab'),
    arnOf('1234abcd-12ab-34cd-56ef-1234567890ac'),
  ] as const;
  const credentials = {
    ...{ accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'secret-access-key', sessionToken: 'session' },
  };
  // The SDK's own search for credentials, with nothing of this machine in it.
  process.env['AWS_ACCESS_KEY_ID'] = credentials.accessKeyId;
  process.env['AWS_SECRET_ACCESS_KEY'] = credentials.secretAccessKey;
  process.env['AWS_SESSION_TOKEN'] = credentials.sessionToken;
  process.env['AWS_CONFIG_FILE'] = process.env['AWS_SHARED_CREDENTIALS_FILE'] = '/dev/null';
  const server = await startAwsKmsServer(credentials, region);
  for (const arn of arns) server.keys.set(arn, testKmsKey());
  const provider = await AwsKmsProvider.open(
    awsKmsConfigSchema(false).parse({
      ...{ name: 'aws', kind: 'aws-kms', region, endpoint: server.endpoint },
      ...{ timeoutMs: TIMEOUT_MS, externalKeys: { acme: [...arns] } },
    }),
  );
  const key = server.keys.get(arns[0]) ?? testKmsKey();
  return {
    provider,
    reference: referenceOf(arns[0]),
    otherReference: referenceOf(arns[1]),
    // AWS keeps to itself which of a key's materials a ciphertext was made with.
    opensAnyGeneration: true,
    disable: () => {
      const { metadata } = key;
      key.metadata = { ...metadata, Enabled: false, KeyState: 'Disabled' };
      return Promise.resolve(() => {
        key.metadata = metadata;
        return Promise.resolve();
      });
    },
    outOfReach: async () => {
      await server.close();
      return provider;
    },
    close: () => Promise.resolve(expect(server.complaints).toEqual([])),
  };
});

for (const [keyType, type] of [
  ['AES256_GCM96', 'aes256-gcm96'],
  ['CHACHA20_POLY1305', 'chacha20-poly1305'],
] as const) {
  describeProvider(`transit, ${keyType}`, async () => {
    const server = await startTransitServer();
    const key = testTransitKey(type);
    server.keys.set('payments', key);
    server.keys.set('orders', testTransitKey(type));
    const provider = new TransitProvider(
      transitConfigSchema(false).parse({
        ...{ name: 'vault', kind: 'transit', address: server.address, token: 'test-token' },
        ...{ timeoutMs: TIMEOUT_MS, externalKeys: { acme: ['payments', 'orders'] } },
      }),
    );
    return {
      provider,
      reference: referenceOf('payments', keyType),
      otherReference: referenceOf('orders', keyType),
      disable: () => {
        server.keys.delete('payments');
        return Promise.resolve(() => {
          server.keys.set('payments', key);
          return Promise.resolve();
        });
      },
      outOfReach: async () => {
        await server.close();
        return provider;
      },
      close: () => Promise.resolve(expect(server.complaints).toEqual([])),
    };
  });
}
