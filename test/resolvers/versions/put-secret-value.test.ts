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

const DAY_MS = 24 * 60 * 60 * 1000;

const tryPut = (
  input: { path: string; text?: string; expectedVersion?: number; idempotencyKey?: string },
  caller?: TestCaller,
) => {
  const { text = 'next', ...rest } = input;
  return app.gql(doc.PUT, { input: { ...rest, value: { secretString: data(text) } } }, caller);
};

test('what the caller may not see answers exactly like what does not exist, and gains no version', async () => {
  const { path } = await create();
  const { text } = await tryPut({ path: freshPath() });
  expect(text).toContain('NOT_FOUND');
  for (const caller of STRANGERS) expect((await tryPut({ path }, caller)).text).toBe(text);
  expect(await get(path)).toMatchObject({ version: 1 });
});

test('a caller who may read the metadata is told that SECRET_PUT_VALUE is missing', async () => {
  const { path } = await create();
  for (const roles of [['secrets:ReadAccess'], ['secrets:ValueAccess']]) {
    expect((await tryPut({ path }, { roles })).data.putSecretValue).toMatchObject({
      ...{ __typename: 'AccessDeniedError', code: 'ACCESS_DENIED', permission: 'SECRET_PUT_VALUE' },
    });
  }
  const [event, ...rest] = await eventsOf(() => tryPut({ path }, READER));
  expect(rest).toEqual([]);
  expect(event).toMatchObject({ action: 'secret.putValue', outcome: 'DENIED', resource: path });
});

test.each([
  ['not base64', { secretString: 'MARKER!' }, ['secretString']],
  ['unpadded', { secretString: 'TUFSS0VS0g' }, ['secretString']],
  ['with bits to spare', { secretString: 'QUJDRB==' }, ['secretString']],
  ['empty', { secretString: '' }, ['secretString']],
  ['of 64 KiB and a byte', { secretString: Buffer.alloc(65_537).toString('base64') }, ['secretString']],
  ['without entries', { secretKeyValues: [] }, ['secretKeyValues']],
  [
    'with a name of another alphabet',
    { secretKeyValues: [{ key: 'MARKER ', value: 'QQ==' }] },
    ['secretKeyValues', '0', 'key'],
  ],
  [
    'with a name given twice',
    {
      secretKeyValues: [
        { key: 'MARKER', value: 'QQ==' },
        { key: 'MARKER', value: 'QQ==' },
      ],
    },
    ['secretKeyValues', '1', 'key'],
  ],
  [
    'generated too short',
    { generateSecret: { password: { length: 7 } } },
    ['generateSecret', 'password', 'length'],
  ],
  [
    'generated of too few bytes',
    { generateSecret: { randomBytes: { byteLength: 15 } } },
    ['generateSecret', 'randomBytes', 'byteLength'],
  ],
])('a value %s is refused by its field, never quoted and never recorded', async (_, value, field) => {
  const { path } = await create();
  const events = await eventsOf(async () => {
    const answer = await app.raw(doc.PUT, { input: { path, value } });
    expect(answer.data['putSecretValue']).toMatchObject({
      code: 'INVALID_INPUT',
      field: ['input', 'value', ...field],
    });
    expect(answer.text).not.toContain('MARKER');
  });
  expect(events).toEqual([]);
});

test('no value, two values, a negative expectedVersion and a long idempotency key are refused', async () => {
  const { path } = await create();
  for (const value of [{}, { secretString: data('MARKER'), secretKeyValues: [] }]) {
    const answer = await app.raw(doc.PUT, { input: { path, value } });
    expect(answer.errors?.[0]?.extensions['code']).toBe('BAD_USER_INPUT');
    expect(answer.text).not.toContain(data('MARKER'));
  }
  expect((await tryPut({ path, expectedVersion: -1 })).data.putSecretValue).toMatchObject({
    field: ['input', 'expectedVersion'],
  });
  for (const idempotencyKey of ['', 'k'.repeat(129), 'a\nb']) {
    expect((await tryPut({ path, idempotencyKey })).data.putSecretValue).toMatchObject({
      field: ['input', 'idempotencyKey'],
    });
  }
  expect(await get(path)).toMatchObject({ version: 1 });
});

test('an expectedVersion that is not the current one is a conflict that tells both and writes nothing', async () => {
  const { path } = await create();
  expect((await tryPut({ path, expectedVersion: 4 })).data.putSecretValue).toMatchObject({
    ...{ __typename: 'ConflictError', code: 'CONFLICT', expected: 4, actual: 1 },
  });
  expect((await tryPut({ path, expectedVersion: 1 })).data.putSecretValue).toMatchObject({
    version: { number: 2 },
  });
  await app.gql(doc.DESTROY, { input: { path, version: 2 } });
  expect((await tryPut({ path, expectedVersion: 2 })).data.putSecretValue).toMatchObject({ actual: 1 });
  await app.gql(doc.DESTROY, { input: { path, version: 1 } });
  expect((await tryPut({ path, expectedVersion: 0 })).data.putSecretValue).toMatchObject({
    version: { number: 3 },
  });
});

test('a disabled KMS key seals nothing', async () => {
  const { path } = await create();
  const answer = await whileDisabled(() => put(path, 'next'));
  expect(answer).toMatchObject({ __typename: 'KeyUnavailableError', code: 'KEY_UNAVAILABLE' });
  expect(await get(path)).toMatchObject({ version: 1 });
});

test('an idempotency key gives the same version to the same input and refuses another', async () => {
  const { path } = await create();
  const first = await tryPut({ path, idempotencyKey: 'same' });
  expect(first.data.putSecretValue).toMatchObject({ version: { number: 2 } });
  expect((await tryPut({ path, idempotencyKey: 'same' })).text).toBe(first.text);
  expect((await tryPut({ path, idempotencyKey: 'same', text: 'MARKER' })).data.putSecretValue).toMatchObject({
    ...{
      __typename: 'InvalidInputError',
      code: 'IDEMPOTENCY_KEY_REUSED',
      field: ['input', 'idempotencyKey'],
    },
  });
  expect(
    (await tryPut({ path, idempotencyKey: 'same', expectedVersion: 1 })).data.putSecretValue,
  ).toMatchObject({ code: 'IDEMPOTENCY_KEY_REUSED' });
  expect(await get(path)).toMatchObject({ version: 2 });
  const replay = await eventsOf(() => tryPut({ path, idempotencyKey: 'same' }));
  expect(replay).toMatchObject([{ action: 'secret.putValue', version: 2, details: { replayed: 'true' } }]);
});

test('an idempotency key is of one subject, and a result is authorised anew', async () => {
  const { path } = await create();
  await tryPut({ path, idempotencyKey: 'of one' });
  const other = await tryPut({ path, idempotencyKey: 'of one' }, { subject: 'somebody-else' });
  expect(other.data.putSecretValue).toMatchObject({ version: { number: 3 } });
  expect((await tryPut({ path, idempotencyKey: 'of one' }, READER)).data.putSecretValue).toMatchObject({
    code: 'ACCESS_DENIED',
  });
});

test('a failure is not remembered under an idempotency key', async () => {
  const { path } = await create();
  const failed = await tryPut({ path, idempotencyKey: 'again', expectedVersion: 7 });
  expect(failed.data.putSecretValue).toMatchObject({ code: 'CONFLICT' });
  expect((await tryPut({ path, idempotencyKey: 'again' })).data.putSecretValue).toMatchObject({
    version: { number: 2 },
  });
});

test('concurrent twins with one idempotency key make one version', async () => {
  const { path } = await create();
  const answers = await Promise.all(
    Array.from({ length: 8 }, () => tryPut({ path, idempotencyKey: 'twins' })),
  );
  expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
  expect(await get(path)).toMatchObject({ version: 2 });
});

/** A token that outlives what the clock does here. */
async function longLived(): Promise<Record<string, string>> {
  const claims = { organisation: 'acme', roles: ['strongroom:admin'], subject: 'tester' };
  const token = await app.app.developmentIssuer?.mint({ ...claims, ttlSeconds: 20 * 365 * 24 * 3600 });
  return { authorization: `Bearer ${token ?? ''}` };
}

test('an idempotency key is forgotten with its version, and after 24 hours', async () => {
  const { path } = await create();
  const headers = await longLived();
  const input = { path, value: { secretString: data('next') }, idempotencyKey: 'day' };
  const number = async () => (await app.gql(doc.PUT, { input }, undefined, headers)).data.putSecretValue;
  expect(await number()).toMatchObject({ version: { number: 2 } });
  await app.gql(doc.DESTROY, { input: { path, version: 2 } });
  expect(await number()).toMatchObject({ version: { number: 3 } });
  const start = Date.now();
  try {
    app.clock.now = new Date(start + DAY_MS - 60_000);
    expect(await number()).toMatchObject({ version: { number: 3 } });
    app.clock.now = new Date(start + DAY_MS + 60_000);
    expect(await number()).toMatchObject({ version: { number: 4 } });
  } finally {
    app.clock.now = null;
  }
});

test('a put is one event and the encryption that it caused another', async () => {
  const { path } = await create();
  const events = await eventsOf(() => put(path, 'VALUE-IN-NO-EVENT'));
  expect(events).toMatchObject([
    { action: 'secret.putValue', outcome: 'SUCCESS', resource: path, version: 2, caused_by: null },
    { action: 'kms.encrypt', outcome: 'SUCCESS', resource: kmsKeyIdentity, caused_by: 1 },
  ]);
  expect(events[1]?.request_id).toBe(events[0]?.request_id);
  expect(JSON.stringify(events)).not.toMatch(/VALUE-IN-NO-EVENT|VkFMVUUtSU4t/);
});

test('a put moves currentVersion and PREVIOUS, and no objectVersion', async () => {
  const { path } = await create();
  await put(path, 'second');
  await put(path, 'third');
  const { secret } = (await app.gql(doc.SECRET, { path })).data;
  expect(secret).toMatchObject({ currentVersion: 3, objectVersion: 1 });
  expect(secret?.versions.nodes.map(({ stage }) => stage)).toEqual(['CURRENT', 'PREVIOUS', null]);
});
