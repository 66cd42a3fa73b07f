import { createHash, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { DecryptionFailedError } from '../../../../src/errors.ts';
import { SecretBytes } from '../../../../src/kms/envelope/secret-bytes.ts';
import { ExternalKeyError, type KmsKeyReference } from '../../../../src/kms/provider.ts';
import { awsKmsConfigSchema } from '../../../../src/kms/providers/aws-kms/config.ts';
import { AwsKmsProvider } from '../../../../src/kms/providers/aws-kms/provider.ts';
import {
  type AwsKmsServer,
  kmsException,
  startAwsKmsServer,
  testKmsKey,
} from '../../../support/aws-kms-server.ts';
import { HTTP_FAULTS, jsonReply } from '../../../support/http-faults.ts';

const TIMEOUT_MS = 400;
const REGION = 'eu-central-1';
const ARN = `arn:aws:kms:${REGION}:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab`;
const CONTEXT = Buffer.from('strongroom/data-key, and the row');
const credentials = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'canary-of-a-secret-access-key',
  sessionToken: 'canary-of-a-session-token',
};
const reference: KmsKeyReference = {
  organisation: 'acme',
  region: 'local-1',
  project: '',
  identity: 'kms-1',
  keyType: 'AES256_GCM96',
  externalKeyId: ARN,
};
const first = { number: 1, wrappedMaterial: null, rootKeyId: null, externalVersion: null };
const open: AwsKmsProvider[] = [];
let server: AwsKmsServer;
let provider: AwsKmsProvider;

async function connect(members: Readonly<Record<string, unknown>> = {}): Promise<AwsKmsProvider> {
  const config = awsKmsConfigSchema(false).parse({
    ...{ name: 'aws', kind: 'aws-kms', region: REGION, endpoint: server.endpoint },
    ...{ timeoutMs: 10_000, externalKeys: { acme: [ARN] }, ...members },
  });
  const made = await AwsKmsProvider.open(config);
  open.push(made);
  return made;
}
const newDataKey = () => new SecretBytes(randomBytes(32));
const failure = async (promise: Promise<unknown>): Promise<Error> => {
  const outcome = await promise.then(
    () => 'It succeeded.',
    (error: unknown) => error,
  );
  if (outcome instanceof Error) return outcome;
  throw new Error(String(outcome));
};
async function expectUnavailable(promise: Promise<unknown>, ...secrets: readonly string[]): Promise<void> {
  const error = await failure(promise);
  expect(error).not.toBeInstanceOf(DecryptionFailedError);
  expect(error).not.toBeInstanceOf(ExternalKeyError);
  for (const secret of ['canary', CONTEXT.toString('base64'), ...secrets])
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain(secret);
}

beforeAll(async () => {
  // The SDK's own search for credentials, with nothing of this machine in it.
  process.env['AWS_ACCESS_KEY_ID'] = credentials.accessKeyId;
  process.env['AWS_SECRET_ACCESS_KEY'] = credentials.secretAccessKey;
  process.env['AWS_SESSION_TOKEN'] = credentials.sessionToken;
  process.env['AWS_CONFIG_FILE'] = process.env['AWS_SHARED_CREDENTIALS_FILE'] = '/dev/null';
  server = await startAwsKmsServer(credentials, REGION);
});
beforeEach(async () => {
  server.fault = null;
  server.keys.clear();
  server.keys.set(ARN, testKmsKey());
  provider = await connect();
  server.requests.length = 0;
});
afterEach(async () => {
  expect(server.complaints).toEqual([]);
  await Promise.all(open.splice(0).map((one) => one.close()));
});
afterAll(() => server.close());

describe('an AWS KMS key that is not fit', () => {
  it.each([
    ['is not there', null],
    ['is disabled', { Enabled: false, KeyState: 'Disabled' }],
    ['is to be deleted', { Enabled: false, KeyState: 'PendingDeletion' }],
    ['is RSA', { KeySpec: 'RSA_4096' }],
    ['signs', { KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' }],
    ['is for MACs', { KeyUsage: 'GENERATE_VERIFY_MAC' }],
    ['is managed by AWS', { KeyManager: 'AWS' }],
  ])('is refused when it %s', async (_what, metadata) => {
    server.keys.clear();
    if (metadata) server.keys.set(ARN, testKmsKey(metadata));
    expect(await failure(provider.create(reference))).toBeInstanceOf(ExternalKeyError);
    expect(await provider.describe(reference)).toEqual({ usable: false });
    expect(server.requests.map(({ operation }) => operation)).toEqual(['DescribeKey', 'DescribeKey']);
  });

  it('is refused as ChaCha20-Poly1305, which AWS does not have', async () => {
    const key = { ...reference, keyType: 'CHACHA20_POLY1305' } as const;
    expect(await failure(provider.create(key))).toBeInstanceOf(ExternalKeyError);
  });

  it.each([
    'alias/acme',
    ARN.replace(/key\/.*/, 'alias/acme'),
    '1234abcd-12ab-34cd-56ef-1234567890ab',
    '',
    null,
  ])('is refused by the name %j, without a request', async (externalKeyId) => {
    const key = { ...reference, externalKeyId };
    expect(await failure(provider.create(key))).toBeInstanceOf(ExternalKeyError);
    expect(await failure(provider.rotate(key, first))).toBeInstanceOf(ExternalKeyError);
    expect(server.requests).toEqual([]);
  });

  it.each(['UnsupportedOperationException', 'NotFoundException'])(
    'is refused when it cannot be rotated: %s',
    async (name) => {
      server.fault = { operation: /Rotate/, answer: kmsException(name) };
      expect(await failure(provider.rotate(reference, first))).toBeInstanceOf(ExternalKeyError);
    },
  );
});

describe('a data key wrapped by AWS KMS', () => {
  let dataKey: SecretBytes;
  let wrapped: Uint8Array;
  beforeEach(async () => {
    dataKey = newDataKey();
    wrapped = await provider.wrap(reference, first, dataKey, CONTEXT);
    server.requests.length = 0;
  });
  const expectNoOpening = async (bytes: Uint8Array, context: Uint8Array = CONTEXT) =>
    expect(await failure(provider.unwrap(reference, first, bytes, context))).toBeInstanceOf(
      DecryptionFailedError,
    );

  it('does not open in another context', async () => {
    await expectNoOpening(wrapped, Buffer.from(`${CONTEXT.toString()}.`));
    await expectNoOpening(wrapped, Buffer.alloc(0));
    expect(server.requests.map(({ operation }) => operation)).toEqual(['Decrypt', 'Decrypt']);
  });

  it('does not open with a bit flipped in any one byte', async () => {
    for (let byte = 0; byte < wrapped.byteLength; byte++) {
      const flipped = Uint8Array.from(wrapped);
      flipped[byte] = (flipped[byte] ?? 0) ^ (1 << (byte & 7));
      await expectNoOpening(flipped);
    }
  });

  it('does not open cut short, with a byte more, empty or longer than AWS takes', async () => {
    for (const end of [1, 36, 37, 60, wrapped.byteLength - 1])
      await expectNoOpening(wrapped.subarray(0, end));
    await expectNoOpening(Buffer.concat([wrapped, Buffer.of(0)]));
    server.requests.length = 0;
    await expectNoOpening(Buffer.alloc(0));
    await expectNoOpening(Buffer.alloc(6145));
    expect(server.requests).toEqual([]);
  });

  it('does not open under another key', async () => {
    const other = ARN.replace('1234abcd', 'ffffffff');
    server.keys.set(other, testKmsKey());
    const key = { ...reference, externalKeyId: other };
    expect(await failure(provider.unwrap(key, first, wrapped, CONTEXT))).toBeInstanceOf(
      DecryptionFailedError,
    );
    server.keys.set(ARN, testKmsKey());
    await expectNoOpening(wrapped);
  });

  it('opens, before and after a rotation, whichever generation is named', async () => {
    const second = await provider.rotate(reference, first);
    expect(second).toEqual({ ...first, number: 2 });
    const again = await provider.wrap(reference, second, dataKey, CONTEXT);
    for (const [generation, bytes] of [
      [first, wrapped],
      [second, again],
    ] as const) {
      const opened = await provider.unwrap(reference, generation, bytes, CONTEXT);
      expect(opened.reveal().equals(dataKey.reveal())).toBe(true);
    }
    expect(server.keys.get(ARN)?.materials).toHaveLength(2);
  });
});

describe('AWS KMS that fails', () => {
  const plaintext = (bytes: number) => randomBytes(bytes).toString('base64');
  const exceptions = [
    ...['DisabledException', 'KMSInvalidStateException', 'KeyUnavailableException', 'ThrottlingException'],
    ...['AccessDeniedException', 'InvalidSignatureException', 'ExpiredTokenException', 'ValidationException'],
    ...['LimitExceededException', 'ConflictException', 'NonsenseException'],
  ];
  const faults = {
    ...HTTP_FAULTS,
    ...Object.fromEntries(exceptions.map((name) => [`answers ${name}`, kmsException(name)])),
    'answers 500 by the name of another exception': kmsException('InvalidCiphertextException', 500),
    'answers 404 by the name of another exception': kmsException('NotFoundException', 404),
    'answers for no key': jsonReply(200, { CiphertextBlob: plaintext(100), Plaintext: plaintext(32) }),
    'answers for another key': jsonReply(200, {
      ...{ KeyId: ARN.replace('1234', '4321'), CiphertextBlob: plaintext(100), Plaintext: plaintext(32) },
    }),
    'answers nothing for the key': jsonReply(200, { KeyId: ARN }),
    'answers 31 bytes': jsonReply(200, {
      KeyId: ARN,
      Plaintext: plaintext(31),
      CiphertextBlob: plaintext(31),
    }),
    'answers 33 bytes and too long a ciphertext': jsonReply(200, {
      ...{ KeyId: ARN, Plaintext: plaintext(33), CiphertextBlob: plaintext(6145) },
    }),
    'answers with numbers': jsonReply(200, { KeyId: ARN, Plaintext: 7, CiphertextBlob: 7, KeyMetadata: 7 }),
    'describes another key': jsonReply(200, { KeyMetadata: { Arn: ARN.replace('1234', '4321') } }),
  };

  it.each(Object.entries(faults))('and %s makes the key unavailable, in time', async (what, answer) => {
    const slow = await connect({ timeoutMs: TIMEOUT_MS });
    const dataKey = newDataKey();
    const wrapped = await provider.wrap(reference, first, dataKey, CONTEXT);
    server.fault = { operation: /^(?!Rotate)/, answer };
    const secrets = [dataKey.revealBase64(), Buffer.from(wrapped).toString('base64')];
    const began = performance.now();
    await Promise.all([
      expectUnavailable(slow.wrap(reference, first, dataKey, CONTEXT), ...secrets),
      expectUnavailable(slow.unwrap(reference, first, wrapped, CONTEXT), ...secrets),
      expectUnavailable(slow.create(reference)),
      expectUnavailable(slow.describe(reference)),
    ]);
    if (/500|502|drops|Exception|exception|hangs|drips|1 MB/.test(what)) {
      server.fault = { operation: /Rotate/, answer };
      await expectUnavailable(slow.rotate(reference, first));
    }
    expect(performance.now() - began).toBeLessThan(2 * TIMEOUT_MS + 1000);
  });

  it('does not have its redirect followed', async () => {
    const elsewhere = await startAwsKmsServer(credentials, REGION);
    try {
      for (const status of [301, 302, 307, 308]) {
        server.fault = {
          operation: /./,
          answer: jsonReply(status, {}, { Location: `${elsewhere.endpoint}/` }),
        };
        await expectUnavailable(provider.wrap(reference, first, newDataKey(), CONTEXT));
      }
      expect(elsewhere.requests).toEqual([]);
    } finally {
      await elsewhere.close();
    }
  });

  it('is asked once more, but never to rotate a second time', async () => {
    server.fault = { operation: /./, answer: kmsException('InternalFailure', 500) };
    await expectUnavailable(provider.wrap(reference, first, newDataKey(), CONTEXT));
    await expectUnavailable(provider.rotate(reference, first));
    expect(server.requests.map(({ operation }) => operation)).toEqual([
      'Encrypt',
      'Encrypt',
      'RotateKeyOnDemand',
    ]);
  });

  it('makes the key unavailable when there is nothing at the address, and when AWS counts no more rotations', async () => {
    const nowhere = await connect({ endpoint: 'http://127.0.0.1:1', timeoutMs: 2000 });
    await expectUnavailable(nowhere.create(reference));
    for (let rotation = 0; rotation < 25; rotation++) await provider.rotate(reference, first);
    await expectUnavailable(provider.rotate(reference, first));
  });

  it('in the middle of a proof leaves no generation', async () => {
    server.fault = { operation: /Decrypt/, answer: kmsException('AccessDeniedException') };
    await expectUnavailable(provider.create(reference));
    server.fault = { operation: /Decrypt/, answer: jsonReply(200, { KeyId: ARN, Plaintext: plaintext(32) }) };
    expect(await failure(provider.create(reference))).toBeInstanceOf(ExternalKeyError);
  });
});

describe('a request to AWS KMS', () => {
  it('is the documented one, signed, and tells AWS a hash of the context', async () => {
    expect(await provider.create(reference)).toEqual(first);
    const EncryptionContext = { strongroom: createHash('sha256').update(CONTEXT).digest('base64') };
    const dataKey = newDataKey();
    server.requests.length = 0;
    const wrapped = await provider.wrap(reference, first, dataKey, CONTEXT);
    await provider.unwrap(reference, first, wrapped, CONTEXT);
    const EncryptionAlgorithm = 'SYMMETRIC_DEFAULT';
    expect(server.requests.map(({ operation, body }) => ({ operation, body }))).toEqual([
      {
        operation: 'Encrypt',
        body: { KeyId: ARN, Plaintext: dataKey.revealBase64(), EncryptionContext, EncryptionAlgorithm },
      },
      {
        operation: 'Decrypt',
        body: {
          ...{ KeyId: ARN, CiphertextBlob: Buffer.from(wrapped).toString('base64') },
          ...{ EncryptionContext, EncryptionAlgorithm },
        },
      },
    ]);
  });

  it('that is not signed with the key is refused by the server of these tests', async () => {
    process.env['AWS_SECRET_ACCESS_KEY'] = 'canary-of-another-key';
    try {
      await expectUnavailable((await connect()).describe(reference));
      expect(server.complaints.splice(0)).toEqual(['another signature']);
    } finally {
      process.env['AWS_SECRET_ACCESS_KEY'] = credentials.secretAccessKey;
    }
  });

  it('is not made without credentials, and the search for them is bounded', async () => {
    const hanging = createServer(() => undefined);
    await new Promise<void>((resolve) => hanging.listen(0, '127.0.0.1', resolve));
    const { port } = hanging.address() as AddressInfo;
    process.env['AWS_CONTAINER_CREDENTIALS_FULL_URI'] = `http://127.0.0.1:${port}/`;
    delete process.env['AWS_ACCESS_KEY_ID'];
    try {
      const began = performance.now();
      await expectUnavailable((await connect({ timeoutMs: TIMEOUT_MS })).describe(reference));
      expect(performance.now() - began).toBeLessThan(TIMEOUT_MS + 1000);
      expect(server.requests).toEqual([]);
    } finally {
      process.env['AWS_ACCESS_KEY_ID'] = credentials.accessKeyId;
      delete process.env['AWS_CONTAINER_CREDENTIALS_FULL_URI'];
      hanging.closeAllConnections();
      hanging.close();
    }
  });
});

describe('the SDK of AWS', () => {
  it('that is not installed is named, with the command that installs it', async () => {
    const config = awsKmsConfigSchema(false).parse({
      ...{ name: 'aws', kind: 'aws-kms', region: REGION, externalKeys: {} },
    });
    const missing = () => Promise.reject(new Error('Cannot find package'));
    expect((await failure(AwsKmsProvider.open(config, missing))).message).toBe(
      'A KMS provider of the kind aws-kms needs the package @aws-sdk/client-kms: npm install @aws-sdk/client-kms.',
    );
  });
});
