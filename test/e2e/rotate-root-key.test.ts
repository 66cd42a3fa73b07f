import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { kmsKeysOf } from '../support/kms-keys.ts';
import { data, freshPath, type TestApp, testApp } from '../support/test-app.ts';

const SCRIPT = join(import.meta.dirname, '../../scripts/rotate-root-key.ts');
const key = (id: string) => `${id}:${randomBytes(32).toString('base64')}`;

let app: TestApp | null = null;
afterEach(async () => {
  await app?.close();
  app = null;
});

interface Run {
  readonly status: number;
  readonly output: string;
  readonly complaint: string;
}

/** The command as an operator runs it, beside the service. */
function rotate(rootKeys: string, killAfterMs?: number): Promise<Run> {
  const { databaseUrl = '', dataDir = '' } = app ?? {};
  const { PATH = '' } = process.env;
  const env = {
    PATH,
    DATABASE_URL: databaseUrl,
    STRONGROOM_DATA_DIR: dataDir,
    STRONGROOM_ROOT_KEY: rootKeys,
  };
  return new Promise((resolve) => {
    const options = { env, timeout: killAfterMs ?? 60_000, killSignal: 'SIGKILL' as const };
    execFile(process.execPath, [SCRIPT], options, (error, output, complaint) =>
      resolve({ status: error ? Number(error.code ?? -1) : 0, output, complaint }),
    );
  });
}

const rootKeyIds = async (running: TestApp) =>
  (
    await running.database.query<{ id: string; n: number }>(
      'SELECT root_key_id AS id, count(*)::int AS n FROM kms_key_version GROUP BY 1 ORDER BY 1',
    )
  ).rows;

test('every key version moves under the newest root key, beside the service, and then the old one can go', async () => {
  const [older, newer] = [key('older'), key('newer')];
  app = await testApp({ STRONGROOM_ROOT_KEY: older });
  let keys = kmsKeysOf(app);
  const identity = await keys.created();
  const { path } = await keys.secretUnder(identity, 'kept');
  for (let version = 2; version <= 4; version++) await keys.change('rotateKmsKey', { identity });
  await app.stop();

  // First every gateway knows both, the newest first.
  app = await app.again({ STRONGROOM_ROOT_KEY: `${newer},${older}` });
  keys = kmsKeysOf(app);
  expect(await keys.read(path)).toBe('kept');
  await keys.change('rotateKmsKey', { identity });
  expect(await rootKeyIds(app)).toEqual([
    { id: 'newer', n: 1 },
    { id: 'older', n: 5 },
  ]);

  const reading = Promise.all(Array.from({ length: 50 }, () => keys.read(path)));
  const first = await rotate(`${newer},${older}`);
  expect(first).toMatchObject({ status: 0, complaint: '' });
  expect(first.output).toContain('local-1: 5 key versions were wrapped under the root key newer.');
  expect(first.output).toContain('local-1: the root key older can go now: nothing rests on it.');
  expect(first.output).not.toContain(older.slice(6));
  expect(new Set(await reading)).toEqual(new Set(['kept']));
  expect(await rootKeyIds(app)).toEqual([{ id: 'newer', n: 6 }]);

  const second = await rotate(`${newer},${older}`);
  expect(second.output).toContain('local-1: 0 key versions were wrapped');
  await app.stop();
  app = await app.again({ STRONGROOM_ROOT_KEY: newer });
  expect(await kmsKeysOf(app).read(path)).toBe('kept');
});

test('run too early, with the new key still behind the old one, it does not say that the new one can go', async () => {
  const [older, newer] = [key('older'), key('newer')];
  app = await testApp({ STRONGROOM_ROOT_KEY: older });
  const early = await rotate(`${older},${newer}`);
  expect(early.status).toBe(0);
  expect(early.output).not.toContain('newer can go now');
  expect(early.output).toContain(
    'nothing rests on the root key newer. If it was replaced, it can go now; if it is the new',
  );
});

test('a run that is killed leaves every version under one key or the other, and the next one ends the work', async () => {
  const [older, newer] = [key('older'), key('newer')];
  app = await testApp({ STRONGROOM_ROOT_KEY: older });
  const keys = kmsKeysOf(app);
  const identity = await keys.created();
  const { path } = await keys.secretUnder(identity, 'kept');
  for (let version = 2; version <= 30; version++) await keys.change('rotateKmsKey', { identity });
  await rotate(`${newer},${older}`, 900);
  const ids = (await rootKeyIds(app)).map(({ id }) => id);
  expect(ids.every((id) => ['newer', 'older'].includes(id))).toBe(true);
  expect(await rotate(`${newer},${older}`)).toMatchObject({ status: 0 });
  expect(await rootKeyIds(app)).toEqual([{ id: 'newer', n: 31 }]);
  await app.stop();
  app = await app.again({ STRONGROOM_ROOT_KEY: newer });
  expect(await kmsKeysOf(app).read(path)).toBe('kept');
});

test('an old root key is needed until the idempotency keys of its time are a day old', async () => {
  const [older, newer] = [key('older'), key('newer')];
  app = await testApp({ STRONGROOM_ROOT_KEY: older });
  const { rows } = await app.database.query<{ identity: string }>('SELECT identity FROM kms_key');
  const input = { path: freshPath(), kmsKeyIdentity: rows[0]?.identity, value: { secretString: data('v') } };
  await app.raw('mutation ($input: CreateSecretInput!) { createSecret(input: $input) { __typename } }', {
    input: { ...input, idempotencyKey: 'first' },
  });
  const { status, output } = await rotate(`${newer},${older}`);
  expect(status).toBe(0);
  expect(output).toMatch(
    /local-1: the root key older can go at \d{4}-\d\d-\d\dT[\d:.]+Z: idempotency keys\./,
  );
});

test('damaged material is told of and keeps its root key needed; without that root key nothing is done', async () => {
  const [older, newer] = [key('older'), key('newer')];
  app = await testApp({ STRONGROOM_ROOT_KEY: older });
  await app.database.query('UPDATE kms_key_version SET wrapped_material = set_byte(wrapped_material, 30, 0)');
  await app.database.query('UPDATE kms_key_version SET wrapped_material = set_byte(wrapped_material, 31, 0)');
  const damaged = await rotate(`${newer},${older}`);
  expect(damaged.status).toBe(1);
  expect(damaged.output).toContain('local-1: 1 key versions do not open and stay as they are.');
  expect(damaged.output).toContain('local-1: the root key older is needed still.');
  const without = await rotate(newer);
  expect(without.status).toBe(2);
  expect(without.complaint).toContain('holds keys under the root key older, which is not configured');
});
