import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { DecryptionFailedError } from '../../../../src/errors.ts';
import { SecretBytes } from '../../../../src/kms/envelope/secret-bytes.ts';
import { ExternalKeyError, type KmsKeyReference, type KmsKeyType } from '../../../../src/kms/provider.ts';
import { transitConfigSchema } from '../../../../src/kms/providers/transit/config.ts';
import { TransitProvider } from '../../../../src/kms/providers/transit/provider.ts';
import { HTTP_FAULTS, jsonReply } from '../../../support/http-faults.ts';
import { selfSigned } from '../../../support/self-signed.ts';
import { startTransitServer, testTransitKey, type TransitServer } from '../../../support/transit-server.ts';

const TIMEOUT_MS = 400;
const CONTEXT = Buffer.from('strongroom/data-key, and the row');
const reference: KmsKeyReference = {
  organisation: 'acme',
  region: 'local-1',
  project: '',
  identity: 'kms-1',
  keyType: 'AES256_GCM96',
  externalKeyId: 'acme-key',
};
const open: TransitProvider[] = [];
const directory = mkdtempSync(join(tmpdir(), 'strongroom-'));
let server: TransitServer;
let provider: TransitProvider;

function connect(members: Readonly<Record<string, unknown>> = {}): TransitProvider {
  const config = transitConfigSchema(false).parse({
    ...{ name: 'vault', kind: 'transit', address: server.address, token: 'test-token' },
    ...{ timeoutMs: 10_000, externalKeys: { acme: ['acme-key'] }, ...members },
  });
  const made = new TransitProvider(config);
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
/** Unavailable: neither a statement about the ciphertext nor one about the key. */
async function expectUnavailable(promise: Promise<unknown>, ...secrets: readonly string[]): Promise<void> {
  const error = await failure(promise);
  expect(error).not.toBeInstanceOf(DecryptionFailedError);
  expect(error).not.toBeInstanceOf(ExternalKeyError);
  for (const secret of ['test-token', CONTEXT.toString('base64'), ...secrets])
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain(secret);
}

beforeAll(async () => {
  server = await startTransitServer();
});
beforeEach(() => {
  Object.assign(server, { fault: null, sealed: false, old: false });
  server.keys.clear();
  server.keys.set('acme-key', testTransitKey());
  server.requests.length = 0;
  provider = connect();
});
afterEach(async () => {
  expect(server.complaints).toEqual([]);
  await Promise.all(open.splice(0).map((one) => one.close()));
});
afterAll(async () => {
  await server.close();
  rmSync(directory, { recursive: true });
});

describe('a transit key that is not fit', () => {
  it.each([
    ['is not there', null],
    ['is of the other type', testTransitKey('chacha20-poly1305')],
    ['is RSA', testTransitKey('rsa-4096')],
    ['is shorter', testTransitKey('aes128-gcm96')],
    ['does not encrypt', testTransitKey(undefined, { supports_encryption: false })],
    ['is derived', testTransitKey(undefined, { derived: true })],
    ['can be exported', testTransitKey(undefined, { exportable: true })],
    ['can be backed up in plaintext', testTransitKey(undefined, { allow_plaintext_backup: true })],
    ['is deleted softly', testTransitKey(undefined, { soft_deleted: true })],
  ])('is refused when it %s', async (_what, key) => {
    const generation = await provider.create(reference);
    server.keys.delete('acme-key');
    if (key) server.keys.set('acme-key', key);
    expect(await failure(provider.create(reference))).toBeInstanceOf(ExternalKeyError);
    expect(await failure(provider.rotate(reference, generation))).toBeInstanceOf(ExternalKeyError);
    expect(await provider.describe(reference, generation)).toEqual({ usable: false });
  });

  it('is refused on a server that leaves the context out', async () => {
    server.old = true;
    expect(await failure(provider.create(reference))).toBeInstanceOf(ExternalKeyError);
  });

  it.each([
    '..',
    '.',
    '.a',
    'a.',
    '-a',
    'a/b',
    'a/../b',
    'a%2f',
    'a?b',
    'a#b',
    'a b',
    '',
    'a'.repeat(129),
    null,
  ])('is refused by the name %j, without a request', async (externalKeyId) => {
    const key = { ...reference, externalKeyId };
    expect(await failure(provider.create(key))).toBeInstanceOf(ExternalKeyError);
    expect(server.requests).toEqual([]);
  });
});

describe.each<[KmsKeyType, string]>([
  ['AES256_GCM96', 'aes256-gcm96'],
  ['CHACHA20_POLY1305', 'chacha20-poly1305'],
])('a data key wrapped by transit with %s', (keyType, type) => {
  const key = { ...reference, keyType };
  let dataKey: SecretBytes;
  let wrapped: Uint8Array;
  let generation: Awaited<ReturnType<TransitProvider['create']>>;

  beforeEach(async () => {
    server.keys.set('acme-key', testTransitKey(type));
    generation = await provider.create(key);
    dataKey = newDataKey();
    wrapped = await provider.wrap(key, generation, dataKey, CONTEXT);
    server.requests.length = 0;
  });
  const expectNoOpening = async (bytes: Uint8Array, context: Uint8Array = CONTEXT) =>
    expect(await failure(provider.unwrap(key, generation, bytes, context))).toBeInstanceOf(
      DecryptionFailedError,
    );

  it('does not open in another context', async () => {
    await expectNoOpening(wrapped, Buffer.from(`${CONTEXT.toString()}.`));
    await expectNoOpening(wrapped, Buffer.alloc(0));
    expect(server.requests.map(({ path }) => path)).toEqual(Array(2).fill('/v1/transit/decrypt/acme-key'));
  });

  it('does not open with any one bit flipped', async () => {
    for (let bit = 0; bit < wrapped.byteLength * 8; bit++) {
      const flipped = Uint8Array.from(wrapped);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      await expectNoOpening(flipped);
    }
  });

  it('does not open cut short, with a byte more, with a line end or as another version', async () => {
    const text = Buffer.from(wrapped).toString();
    for (const end of [0, 5, 9, text.length - 4, text.length - 1])
      await expectNoOpening(wrapped.subarray(0, end));
    await expectNoOpening(Buffer.from(`${text}\n`));
    await expectNoOpening(Buffer.from(`${text}A`));
    await expectNoOpening(Buffer.from(text.replace(':v1:', ':v01:')));
    await expectNoOpening(Buffer.from(text.replace(':v1:', ':v2:')));
    expect(server.requests).toEqual([]);
  });

  it('does not open under another key', async () => {
    server.keys.set('acme-key', testTransitKey(type));
    await expectNoOpening(wrapped);
  });

  it('opens, and is transit’s own ciphertext', async () => {
    expect(Buffer.from(wrapped).toString()).toMatch(/^vault:v1:[A-Za-z0-9+/]{80}$/);
    const opened = await provider.unwrap(key, generation, wrapped, CONTEXT);
    expect(opened.reveal().equals(dataKey.reveal())).toBe(true);
  });

  it('opens after rotations, each generation with its own version', async () => {
    const second = await provider.rotate(key, generation);
    expect(second).toEqual({ number: 2, wrappedMaterial: null, rootKeyId: null, externalVersion: '2' });
    server.keys.get('acme-key')?.versions.push(randomBytes(32));
    const again = await provider.wrap(key, second, dataKey, CONTEXT);
    expect(Buffer.from(again).toString()).toMatch(/^vault:v2:/);
    for (const [of, bytes] of [
      [generation, wrapped],
      [second, again],
    ] as const) {
      const opened = await provider.unwrap(key, of, bytes, CONTEXT);
      expect(opened.reveal().equals(dataKey.reveal())).toBe(true);
    }
    expect(await failure(provider.unwrap(key, second, wrapped, CONTEXT))).toBeInstanceOf(
      DecryptionFailedError,
    );
    expect(await provider.rotate(key, second)).toMatchObject({ number: 3, externalVersion: '4' });
  });
});

describe('a generation', () => {
  it('is unusable, and its ciphertexts unavailable, when the key’s settings exclude its version', async () => {
    const generation = await provider.create(reference);
    const wrapped = await provider.wrap(reference, generation, newDataKey(), CONTEXT);
    await provider.rotate(reference, generation);
    expect(await provider.describe(reference, generation)).toEqual({ usable: true });
    const key = server.keys.get('acme-key');
    if (!key) throw new Error('There is a key.');
    key.settings = { min_encryption_version: 2 };
    expect(await provider.describe(reference, generation)).toEqual({ usable: false });
    await expectUnavailable(provider.wrap(reference, generation, newDataKey(), CONTEXT));
    key.settings = { min_decryption_version: 2 };
    expect(await provider.describe(reference, generation)).toEqual({ usable: false });
    await expectUnavailable(provider.unwrap(reference, generation, wrapped, CONTEXT));
  });

  it('is unusable, and its ciphertexts unavailable, when the key was restored from before it', async () => {
    const second = await provider.rotate(reference, await provider.create(reference));
    const wrapped = await provider.wrap(reference, second, newDataKey(), CONTEXT);
    server.keys.get('acme-key')?.versions.pop();
    expect(await provider.describe(reference, second)).toEqual({ usable: false });
    await expectUnavailable(provider.unwrap(reference, second, wrapped, CONTEXT));
    await expectUnavailable(provider.wrap(reference, second, newDataKey(), CONTEXT));
  });

  it('begins at the version that the key has', async () => {
    server.keys.get('acme-key')?.versions.push(randomBytes(32), randomBytes(32));
    expect(await provider.create(reference)).toEqual({
      number: 1,
      wrappedMaterial: null,
      rootKeyId: null,
      externalVersion: '3',
    });
  });

  it.each([null, '', '0', '01', '1.0', '-1', '1e3', 'x', '9999999999'])(
    'without a version of a key, %j, asks nothing',
    async (externalVersion) => {
      const generation = { number: 1, wrappedMaterial: null, rootKeyId: null, externalVersion };
      await expectUnavailable(provider.wrap(reference, generation, newDataKey(), CONTEXT));
      await expectUnavailable(provider.unwrap(reference, generation, Buffer.from('x'), CONTEXT));
      expect(server.requests).toEqual([]);
    },
  );
});

describe('a server that fails', () => {
  const OTHER_FAULTS = {
    ...HTTP_FAULTS,
    'answers 403': jsonReply(403, { errors: ['permission denied'] }),
    'answers 412': jsonReply(412, { errors: ['required index state not present'] }),
    'answers 429': jsonReply(429, { errors: ['request path "transit": rate limit quota exceeded'] }),
    'answers 400 for another reason': jsonReply(400, { errors: ['encryption key not found'] }),
    'answers 400 with a page of errors': jsonReply(400, { errors: 'cipher: message authentication failed' }),
    'answers 204': jsonReply(204, undefined),
    'answers data of another kind': jsonReply(200, { data: { ciphertext: 7, plaintext: 7 } }),
    'answers null for data': jsonReply(200, { data: null }),
    'answers another version’s ciphertext': jsonReply(200, {
      data: { ciphertext: `vault:v2:${randomBytes(60).toString('base64')}` },
    }),
    'answers a short ciphertext': jsonReply(200, {
      data: { ciphertext: `vault:v1:${randomBytes(32).toString('base64')}` },
    }),
    'answers the plaintext as it is': jsonReply(200, { data: { ciphertext: 'vault:v1:AAAA' } }),
    'answers a data key in 1 MB': jsonReply(200, {
      data: { plaintext: randomBytes(32).toString('base64'), filler: 'x'.repeat(1024 * 1024) },
    }),
    'answers 31 bytes': jsonReply(200, { data: { plaintext: randomBytes(31).toString('base64') } }),
    'answers 33 bytes': jsonReply(200, { data: { plaintext: randomBytes(33).toString('base64') } }),
    'answers hexadecimal': jsonReply(200, { data: { plaintext: randomBytes(32).toString('hex') } }),
    'answers unpadded base64': jsonReply(200, { data: { plaintext: randomBytes(32).toString('base64url') } }),
  };

  it.each(Object.entries(OTHER_FAULTS))(
    'and %s makes the key unavailable, in time',
    async (_what, answer) => {
      const slow = connect({ timeoutMs: TIMEOUT_MS });
      const generation = await slow.create(reference);
      const dataKey = newDataKey();
      const wrapped = await slow.wrap(reference, generation, dataKey, CONTEXT);
      server.fault = { path: /./, answer };
      const began = performance.now();
      const secrets = [dataKey.revealBase64(), Buffer.from(wrapped).toString()];
      await Promise.all([
        expectUnavailable(slow.wrap(reference, generation, dataKey, CONTEXT), ...secrets),
        expectUnavailable(slow.unwrap(reference, generation, wrapped, CONTEXT), ...secrets),
        expectUnavailable(slow.create(reference)),
        expectUnavailable(slow.rotate(reference, generation)),
        expectUnavailable(slow.describe(reference, generation)),
      ]);
      expect(performance.now() - began).toBeLessThan(TIMEOUT_MS + 1000);
    },
  );

  it('does not have its redirect followed, nor is the token sent elsewhere', async () => {
    const elsewhere = await startTransitServer();
    try {
      elsewhere.keys.set('acme-key', testTransitKey());
      const generation = await provider.create(reference);
      for (const status of [301, 302, 303, 307, 308]) {
        const location = { Location: `${elsewhere.address}/v1/transit/encrypt/acme-key` };
        server.fault = { path: /./, answer: jsonReply(status, {}, location) };
        await expectUnavailable(provider.wrap(reference, generation, newDataKey(), CONTEXT));
        await expectUnavailable(provider.describe(reference, generation));
      }
      expect(elsewhere.requests).toEqual([]);
    } finally {
      await elsewhere.close();
    }
  });

  it('and is sealed, or gone, makes the key unavailable, and is found again', async () => {
    const generation = await provider.create(reference);
    const wrapped = await provider.wrap(reference, generation, newDataKey(), CONTEXT);
    server.sealed = true;
    await expectUnavailable(provider.unwrap(reference, generation, wrapped, CONTEXT));
    server.sealed = false;
    await provider.unwrap(reference, generation, wrapped, CONTEXT);
    await expectUnavailable(connect({ address: 'http://127.0.0.1:1' }).create(reference));
  });

  it('rotates nothing and says that it did: no new generation', async () => {
    const generation = await provider.create(reference);
    server.fault = { path: /rotate$/, answer: jsonReply(204, undefined) };
    await expectUnavailable(provider.rotate(reference, generation));
  });

  it('describes another key: no generation', async () => {
    const key = testTransitKey(undefined, { name: 'other' });
    server.keys.set('acme-key', key);
    await expectUnavailable(provider.create(reference));
  });

  it('in the middle of a proof leaves no generation', async () => {
    server.fault = { path: /decrypt/, answer: jsonReply(403, { errors: ['permission denied'] }) };
    await expectUnavailable(provider.create(reference));
    const plaintext = randomBytes(32).toString('base64');
    server.fault = { path: /decrypt/, answer: jsonReply(200, { data: { plaintext } }) };
    expect(await failure(provider.create(reference))).toBeInstanceOf(ExternalKeyError);
  });
});

describe('the token', () => {
  it('is read anew from its file when it is refused, and only then', async () => {
    const tokenFile = join(directory, 'token');
    writeFileSync(tokenFile, 'test-token\n');
    const agent = connect({ token: undefined, tokenFile });
    const generation = await agent.create(reference);
    server.tokens.clear();
    server.tokens.add('renewed');
    await expectUnavailable(agent.wrap(reference, generation, newDataKey(), CONTEXT), 'renewed');
    writeFileSync(tokenFile, 'renewed');
    server.requests.length = 0;
    await agent.wrap(reference, generation, newDataKey(), CONTEXT);
    await agent.wrap(reference, generation, newDataKey(), CONTEXT);
    expect(server.requests.map(({ headers }) => headers['x-vault-token'])).toEqual([
      'test-token',
      'renewed',
      'renewed',
    ]);
    rmSync(tokenFile);
    server.tokens.clear();
    await expectUnavailable(agent.wrap(reference, generation, newDataKey(), CONTEXT), 'renewed');
    server.tokens.add('test-token');
  });

  it('is not printed with the configuration', () => {
    const config = transitConfigSchema(false).parse({
      ...{ name: 'vault', kind: 'transit', address: server.address, token: 'canary-token' },
      externalKeys: {},
    });
    expect(inspect(config, { depth: 9, showHidden: true }) + JSON.stringify(config)).not.toContain('canary');
  });
});

describe('a request', () => {
  it('is the documented one, under the mount and in the namespace of the configuration', async () => {
    const special = await startTransitServer({ mount: 'team/transit', namespace: 'admin/strongroom' });
    try {
      special.keys.set('acme-key', testTransitKey());
      const there = connect({
        ...{ address: special.address, mount: 'team/transit', namespace: 'admin/strongroom' },
      });
      const generation = await there.create(reference);
      const dataKey = newDataKey();
      special.requests.length = 0;
      const wrapped = await there.wrap(reference, generation, dataKey, CONTEXT);
      await there.unwrap(reference, generation, wrapped, CONTEXT);
      await there.rotate(reference, generation);
      expect(special.requests.map(({ method, path, body }) => ({ method, path, body }))).toEqual([
        {
          method: 'POST',
          path: '/v1/team/transit/encrypt/acme-key',
          body: {
            plaintext: dataKey.revealBase64(),
            associated_data: CONTEXT.toString('base64'),
            key_version: 1,
          },
        },
        {
          method: 'POST',
          path: '/v1/team/transit/decrypt/acme-key',
          body: {
            ciphertext: Buffer.from(wrapped).toString(),
            associated_data: CONTEXT.toString('base64'),
          },
        },
        { method: 'POST', path: '/v1/team/transit/keys/acme-key/rotate', body: {} },
        { method: 'GET', path: '/v1/team/transit/keys/acme-key', body: {} },
      ]);
      expect(Object.keys(special.requests[0]?.headers ?? {}).sort()).toEqual([
        'accept',
        'connection',
        'content-length',
        'content-type',
        'host',
        'x-vault-namespace',
        'x-vault-request',
        'x-vault-token',
      ]);
      expect(special.complaints).toEqual([]);
    } finally {
      await special.close();
    }
  });

  it('goes over TLS to a server whose certificate caFile vouches for, and to no other', async () => {
    const [trusted, other] = [selfSigned(), selfSigned()];
    const tls = await startTransitServer({ tls: trusted });
    try {
      tls.keys.set('acme-key', testTransitKey());
      const caFile = (name: string, pem: string) => {
        const file = join(directory, name);
        writeFileSync(file, pem);
        return { address: tls.address, caFile: file };
      };
      await expectUnavailable(connect({ address: tls.address }).create(reference));
      await expectUnavailable(connect(caFile('other.pem', other.cert)).create(reference));
      expect(tls.requests).toEqual([]);
      await connect(caFile('ca.pem', trusted.cert)).create(reference);
    } finally {
      await tls.close();
    }
  });
});
