import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventsOf } from '../../support/audit-events.ts';
import { kmsKeysOf } from '../../support/kms-keys.ts';
import { freshPath, type TestApp, testApp } from '../../support/test-app.ts';

let app: TestApp;
let keys: ReturnType<typeof kmsKeysOf>;

beforeAll(async () => {
  app = await testApp();
  keys = kmsKeysOf(app);
});
afterAll(() => app.close());

const rows = async (identity: string) => {
  const { rows: found } = await app.database.query<{ version: number; wrapped: string; ciphertext: string }>(
    `SELECT kms_key_version AS version, encode(wrapped_data_key, 'hex') AS wrapped, encode(ciphertext, 'hex') AS ciphertext
     FROM secret_version WHERE kms_key_identity = $1 ORDER BY secret_id, number`,
    [identity],
  );
  return found;
};

test('rewrapping needs KMS_KEY_UPDATE, and a key in the same scope', async () => {
  const identity = await keys.created();
  expect(await keys.rewrap(identity, { roles: ['kms:ReadAccess'] })).toMatchObject({
    ...{ code: 'ACCESS_DENIED', permission: 'KMS_KEY_UPDATE' },
  });
  for (const stranger of [{ roles: ['secrets:FullAccess'], project: 'payments' }, { roles: [] }]) {
    expect(await keys.rewrap(identity, stranger)).toEqual(await keys.rewrap('kms-0000', stranger));
  }
  expect(await keys.rewrap('a\u0000b')).toMatchObject({ field: ['input', 'kmsKeyIdentity'] });
});

test('data keys move to the newest version, values stay sealed as they were and open as before', async () => {
  const identity = await keys.created();
  const secrets = await Promise.all([1, 2, 3].map((n) => keys.secretUnder(identity, `value ${n}`)));
  await keys.change('rotateKmsKey', { identity });
  await keys.put(secrets[0]?.path ?? '', 'newer');
  const before = await rows(identity);
  const events = await eventsOf(app, async () => {
    expect(await keys.rewrap(identity)).toMatchObject({ rewrapped: 3, remaining: 0, kmsKey: { identity } });
  });
  expect(events).toMatchObject([
    {
      action: 'kms.rewrap',
      outcome: 'SUCCESS',
      resource: identity,
      version: 2,
      details: { rewrapped: '3', remaining: '0' },
    },
  ]);
  const after = await rows(identity);
  expect(after.map(({ version }) => version)).toEqual([2, 2, 2, 2]);
  expect(after.map(({ ciphertext }) => ciphertext)).toEqual(before.map(({ ciphertext }) => ciphertext));
  expect(after.filter(({ wrapped }, index) => wrapped !== before[index]?.wrapped)).toHaveLength(3);
  for (const [index, { path }] of secrets.entries())
    expect(await keys.read(path, 1)).toBe(`value ${index + 1}`);
  expect((await keys.state(identity))?.versions.nodes).toEqual([
    { version: '2', secretVersionCount: 4 },
    { version: '1', secretVersionCount: 0 },
  ]);
  expect(await keys.rewrap(identity)).toMatchObject({ rewrapped: 0, remaining: 0 });
});

test('a deleted secret moves too and can be restored, a destroyed version has nothing to move', async () => {
  const identity = await keys.created();
  const { path, id } = await keys.secretUnder(identity, 'kept');
  await keys.put(path, 'destroyed');
  const mutate = (field: string, type: string, input: object) =>
    app.raw(`mutation ($input: ${type}!) { ${field}(input: $input) { __typename } }`, { input });
  await mutate('destroySecretVersion', 'DestroySecretVersionInput', { path, version: 2 });
  await mutate('deleteSecret', 'DeleteSecretInput', { path });
  await keys.change('rotateKmsKey', { identity });
  expect(await keys.rewrap(identity)).toMatchObject({ rewrapped: 1, remaining: 0 });
  await mutate('restoreSecret', 'RestoreSecretInput', { id });
  expect(await keys.read(path)).toBe('kept');
});

test('a data key that does not open is passed over, told of, and holds nothing up', async () => {
  const identity = await keys.created();
  const broken = await keys.secretUnder(identity);
  const whole = await keys.secretUnder(identity, 'whole');
  await keys.change('rotateKmsKey', { identity });
  await app.database.query(
    `UPDATE secret_version SET wrapped_data_key = set_byte(wrapped_data_key, 20, get_byte(wrapped_data_key, 20) # 1)
     WHERE secret_id = $1`,
    [Buffer.from(broken.id, 'base64url').toString().slice(-36)],
  );
  const events = await eventsOf(app, async () => {
    expect(await keys.rewrap(identity)).toMatchObject({ rewrapped: 1, remaining: 1 });
  });
  expect(events).toMatchObject([{ outcome: 'SUCCESS', details: { rewrapped: '1', unopened: '1' } }]);
  expect(await keys.read(whole.path)).toBe('whole');
});

test('thousands move in several calls, while they are read, written, moved and destroyed', async () => {
  const identity = await keys.created();
  const seed = await keys.secretUnder(identity, 'v1');
  for (let version = 2; version <= 40; version++) await keys.put(seed.path, `v${version}`);
  const others = await Promise.all(Array.from({ length: 30 }, (_, n) => keys.secretUnder(identity, `o${n}`)));
  await keys.change('rotateKmsKey', { identity });
  const done = new AbortController();
  const reading = (async () => {
    for (let round = 0; !done.signal.aborted || round < 20; round++) {
      expect(await keys.read(seed.path, 1 + (round % 40))).toBe(`v${1 + (round % 40)}`);
    }
  })();
  const writing = (async () => {
    for (const { path } of others.slice(0, 10)) await keys.put(path, 'written');
  })();
  const moving = (async () => {
    for (const { path, id } of others.slice(10, 20)) {
      const to = freshPath('moved');
      await app.raw('mutation ($p: SecretPath!) { deleteSecret(input: {path: $p}) { __typename } }', {
        p: path,
      });
      await app.raw('mutation ($i: RestoreSecretInput!) { restoreSecret(input: $i) { __typename } }', {
        i: { id, path: to },
      });
      expect(await keys.read(to)).toMatch(/^o1\d$/);
    }
  })();
  const calls = await Promise.all([keys.rewrap(identity), keys.rewrap(identity)]);
  await Promise.all([writing, moving]);
  for (let call = 0; call < 5; call++) calls.push(await keys.rewrap(identity));
  done.abort();
  await reading;
  expect(calls.at(-1)).toMatchObject({ rewrapped: 0, remaining: 0 });
  expect((await rows(identity)).every(({ version }) => version === 2)).toBe(true);
  for (const [n, { path }] of others.slice(20).entries()) expect(await keys.read(path)).toBe(`o${20 + n}`);
});
