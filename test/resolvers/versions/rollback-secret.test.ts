import { afterAll, beforeAll, expect, test } from 'vitest';
import * as doc from '../../e2e/documents.ts';
import { data, freshPath, type TestApp, type TestCaller, testApp } from '../../support/test-app.ts';

let app: TestApp;
let kmsKeyIdentity: string;

beforeAll(async () => {
  app = await testApp();
  kmsKeyIdentity = (await app.gql(doc.KMS_KEYS, {})).data.kmsKeys?.nodes[0]?.identity ?? '';
});
afterAll(() => app.close());

const READER: TestCaller = { roles: ['secrets:ReadAccess'] };

/** Callers to whom a secret of acme does not exist. */
const STRANGERS: readonly TestCaller[] = [
  { organisation: 'globex' },
  { project: 'payments' },
  { roles: ['kms:ReadAccess'] },
  { roles: [] },
];

async function create(path = freshPath(), text = 'first', caller?: TestCaller) {
  const value = { secretString: data(text) };
  const answer = await app.gql(doc.CREATE, { input: { path, kmsKeyIdentity, value } }, caller);
  const created = answer.data.createSecret;
  if (created?.__typename !== 'SecretVersionPayload') throw new Error(answer.text);
  return { path, id: created.secret?.id ?? '' };
}

const get = async (path: string, version?: number) =>
  (await app.gql(doc.GET, { input: { path, version } })).data.getSecretValue;

const put = async (path: string, text: string) =>
  (await app.gql(doc.PUT, { input: { path, value: { secretString: data(text) } } })).data.putSecretValue;

/** Runs `work` while the KMS key is disabled. */
async function whileDisabled<T>(work: () => Promise<T>): Promise<T> {
  const set = (status: string) =>
    app.database.query('UPDATE kms_key SET status = $1::"KmsKeyStatus"', [status]);
  await set('DISABLED');
  try {
    return await work();
  } finally {
    await set('ACTIVE');
  }
}

/** Flips the last bit of all that the secret's versions hold. */
const tamper = (path: string) =>
  app.database.query(
    `UPDATE secret_version SET ciphertext = set_byte(ciphertext, length(ciphertext) - 1,
       get_byte(ciphertext, length(ciphertext) - 1) # 1)
     WHERE secret_id IN (SELECT id FROM secret WHERE path = $1) AND status = 'ACTIVE'`,
    [path],
  );

interface EventRow {
  readonly sequence: number;
  readonly action: string;
  readonly outcome: string;
  readonly error_code: string | null;
  readonly resource: string | null;
  readonly version: number | null;
  readonly caused_by: number | null;
  readonly request_id: string;
  readonly details: Readonly<Record<string, string>>;
}

/** The events that `work` appends to acme's chain, counted from 1, once their links have been checked. */
async function eventsOf(work: () => Promise<unknown>): Promise<EventRow[]> {
  const head = async () => {
    const { rows } = await app.database.query<{ n: number }>(
      "SELECT sequence::int AS n FROM audit_head WHERE organisation = 'acme'",
    );
    return rows[0]?.n ?? 0;
  };
  const before = await head();
  await work();
  const { rows } = await app.database.query<EventRow & { linked: boolean }>(
    `SELECT (sequence - $1)::int AS sequence, action, outcome, error_code, resource, version,
       (caused_by - $1)::int AS caused_by, request_id, details,
       previous_hash = (SELECT p.hash FROM audit_event p WHERE p.organisation = 'acme' AND p.sequence = e.sequence - 1)
         AS linked
     FROM audit_event e WHERE organisation = 'acme' AND sequence > $1 ORDER BY e.sequence`,
    [before],
  );
  expect(rows.map(({ sequence }) => sequence)).toEqual(rows.map((_, index) => index + 1));
  expect(rows.every(({ linked }) => linked)).toBe(true);
  expect(await head()).toBe(before + rows.length);
  return rows;
}

const rollback = (
  input: { path: string; toVersion: number; expectedVersion?: number; idempotencyKey?: string },
  caller?: TestCaller,
) => app.gql(doc.ROLLBACK, { input }, caller);

test('what the caller may not see answers exactly like what does not exist', async () => {
  const { path } = await create();
  const { text } = await rollback({ path: freshPath(), toVersion: 1 });
  expect(text).toContain('NOT_FOUND');
  for (const caller of STRANGERS) expect((await rollback({ path, toVersion: 1 }, caller)).text).toBe(text);
});

test('a caller who may read the metadata is told that SECRET_PUT_VALUE is missing', async () => {
  const { path } = await create();
  expect((await rollback({ path, toVersion: 1 }, READER)).data.rollbackSecret).toMatchObject({
    ...{ code: 'ACCESS_DENIED', permission: 'SECRET_PUT_VALUE' },
  });
});

test('a version below 1, unknown, destroyed or tampered with is no target', async () => {
  const { path } = await create();
  await put(path, 'second');
  expect((await rollback({ path, toVersion: 0 })).data.rollbackSecret).toMatchObject({
    ...{ code: 'INVALID_INPUT', field: ['input', 'toVersion'] },
  });
  expect((await rollback({ path, toVersion: 3 })).data.rollbackSecret).toMatchObject({ code: 'NOT_FOUND' });
  await app.gql(doc.DESTROY, { input: { path, version: 1 } });
  expect((await rollback({ path, toVersion: 1 })).data.rollbackSecret).toMatchObject({
    code: 'VERSION_DESTROYED',
  });
  await tamper(path);
  const events = await eventsOf(async () => {
    const answer = await rollback({ path, toVersion: 2 });
    expect(answer.errors?.[0]?.extensions).toMatchObject({ code: 'INTERNAL_SERVER_ERROR' });
    expect(answer.data).toEqual({ rollbackSecret: null });
  });
  expect(events).toMatchObject([
    { action: 'secret.rollback', outcome: 'FAILED', error_code: 'DECRYPTION_FAILED', resource: path },
  ]);
  expect((await app.gql(doc.SECRET, { path })).data.secret).toMatchObject({ currentVersion: 2 });
});

test('a conflict and a disabled KMS key write nothing', async () => {
  const { path } = await create();
  expect((await rollback({ path, toVersion: 1, expectedVersion: 5 })).data.rollbackSecret).toMatchObject({
    ...{ code: 'CONFLICT', expected: 5, actual: 1 },
  });
  const answer = await whileDisabled(() => rollback({ path, toVersion: 1 }));
  expect(answer.data.rollbackSecret).toMatchObject({ code: 'KEY_UNAVAILABLE' });
  expect(await get(path)).toMatchObject({ version: 1 });
});

test('the same input under an idempotency key gives the same version, and another is refused', async () => {
  const { path } = await create();
  await put(path, 'second');
  const first = await rollback({ path, toVersion: 1, idempotencyKey: 'back' });
  expect(first.data.rollbackSecret).toMatchObject({ version: { number: 3 } });
  expect((await rollback({ path, toVersion: 1, idempotencyKey: 'back' })).text).toBe(first.text);
  expect((await rollback({ path, toVersion: 2, idempotencyKey: 'back' })).data.rollbackSecret).toMatchObject({
    code: 'IDEMPOTENCY_KEY_REUSED',
  });
  const value = { secretString: data('x') };
  const put3 = await app.gql(doc.PUT, { input: { path, value, idempotencyKey: 'back' } });
  expect(put3.data.putSecretValue).toMatchObject({ version: { number: 4 } });
});

test('an old version comes back as the next one, in its format, as one event with a decryption and an encryption', async () => {
  const path = freshPath();
  const secretKeyValues = ['a', 'b'].map((key) => ({ key, value: data(key) }));
  await app.gql(doc.CREATE, { input: { path, kmsKeyIdentity, value: { secretKeyValues } } });
  await put(path, 'second');
  const events = await eventsOf(() => rollback({ path, toVersion: 1 }));
  expect(events).toMatchObject([
    {
      action: 'secret.rollback',
      version: 3,
      outcome: 'SUCCESS',
      details: { toVersion: '1' },
      caused_by: null,
    },
    { action: 'kms.decrypt', caused_by: 1 },
    { action: 'kms.encrypt', caused_by: 1 },
  ]);
  expect(await get(path)).toMatchObject({ version: 3, valueFormat: 'KEY_VALUE', secretKeyValues });
});
