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

const PATH_FIELD = ['input', 'path'];

test('what the caller may not see answers exactly like what does not exist, in any scope', async () => {
  const { path } = await create();
  const { text } = await app.gql(doc.GET, { input: { path: freshPath() } });
  expect(text).toContain('NOT_FOUND');
  for (const caller of STRANGERS) {
    expect((await app.gql(doc.GET, { input: { path } }, caller)).text).toBe(text);
  }
  expect(await get(path)).toMatchObject({ secretString: data('first') });
});

test('a project reads its own secrets only, and an organisation none of a project', async () => {
  const caller = { project: 'payments' };
  const key = await app.raw(
    'mutation { createKmsKey(input: { name: "own" }) { ... on KmsKeyPayload { kmsKey { identity } } } }',
    {},
    caller,
  );
  const { identity } = (key.data['createKmsKey'] as { kmsKey: { identity: string } }).kmsKey;
  const path = freshPath();
  const value = { secretString: data('of the project') };
  await app.gql(doc.CREATE, { input: { path, kmsKeyIdentity: identity, value } }, caller);
  expect((await app.gql(doc.GET, { input: { path } }, caller)).data.getSecretValue).toMatchObject({
    secretString: data('of the project'),
  });
  expect(await get(path)).toMatchObject({ code: 'NOT_FOUND' });
  await create(path, 'of the organisation');
  expect(await get(path)).toMatchObject({ secretString: data('of the organisation') });
  expect((await app.gql(doc.GET, { input: { path } }, caller)).data.getSecretValue).toMatchObject({
    secretString: data('of the project'),
  });
});

test('a caller who may read the metadata is told which permission is missing, whatever the version', async () => {
  const { path } = await create();
  for (const version of [undefined, 1, 9]) {
    const { data: answer } = await app.gql(doc.GET, { input: { path, version } }, READER);
    expect(answer.getSecretValue).toMatchObject({ code: 'ACCESS_DENIED', permission: 'SECRET_GET_VALUE' });
  }
});

test.each([
  ['without a slash', 'marker'],
  ['with an empty segment', '/marker//b'],
  ['with a slash at the end', '/marker/'],
  ['with ..', '/marker/../b'],
  ['with .', '/marker/./b'],
  ['with another character', '/marker/ä'],
  ['with a NUL', '/marker/\0'],
  ['with a percent sign', '/marker/%2e'],
  ['of 513 characters', `/marker${'/abcdefg'.repeat(64)}`.slice(0, 513)],
  ['of 33 segments', '/marker'.repeat(33)],
  ['with a segment of 129 characters', `/${'marker'.padEnd(129, 'x')}`],
])('a path %s is refused by its field, never quoted and never recorded', async (_, path) => {
  const events = await eventsOf(async () => {
    const answer = await app.gql(doc.GET, { input: { path } });
    expect(answer.data.getSecretValue).toMatchObject({ code: 'INVALID_INPUT', field: PATH_FIELD });
    expect(answer.text).not.toContain('marker');
  });
  expect(events).toEqual([]);
});

test('versions below 1, empty keys and keys of a STRING are refused by their fields', async () => {
  const { path } = await create();
  const field = async (input: { version?: number; keys?: string[]; region?: string }) =>
    (await app.gql(doc.GET, { input: { path, ...input } })).data.getSecretValue;
  expect(await field({ version: 0 })).toMatchObject({ code: 'INVALID_INPUT', field: ['input', 'version'] });
  expect(await field({ version: -1 })).toMatchObject({ code: 'INVALID_INPUT', field: ['input', 'version'] });
  expect(await field({ keys: [] })).toMatchObject({ code: 'INVALID_INPUT', field: ['input', 'keys'] });
  expect(await field({ keys: ['a'] })).toMatchObject({ code: 'INVALID_INPUT', field: ['input', 'keys'] });
  expect(await field({ region: 'mars' })).toMatchObject({
    code: 'INVALID_INPUT',
    field: ['input', 'region'],
  });
});

test('of a KEY_VALUE just the named entries are answered, and an unknown name is missing', async () => {
  const path = freshPath();
  const secretKeyValues = ['a', 'b', 'c'].map((key) => ({ key, value: data(`value of ${key}`) }));
  await app.gql(doc.CREATE, { input: { path, kmsKeyIdentity, value: { secretKeyValues } } });
  const read = async (keys: string[]) =>
    (await app.gql(doc.GET, { input: { path, keys } })).data.getSecretValue;
  expect(await read(['b'])).toMatchObject({ secretString: null, secretKeyValues: [secretKeyValues[1]] });
  expect(await read(['b', 'none'])).toMatchObject({ code: 'NOT_FOUND' });
  expect(await read(['b', 'b'])).toMatchObject({ code: 'INVALID_INPUT', field: ['input', 'keys'] });
});

test('a version is missing, destroyed or readable, and without any left the secret reads as missing', async () => {
  const { path } = await create();
  await put(path, 'second');
  expect(await get(path, 3)).toMatchObject({ code: 'NOT_FOUND' });
  expect(await get(path, 1)).toMatchObject({ version: 1, secretString: data('first') });
  await app.gql(doc.DESTROY, { input: { path, version: 1 } });
  expect(await get(path, 1)).toMatchObject({
    __typename: 'VersionDestroyedError',
    code: 'VERSION_DESTROYED',
  });
  await app.gql(doc.DESTROY, { input: { path, version: 2 } });
  expect(await get(path)).toMatchObject({ code: 'NOT_FOUND' });
});

test('a disabled KMS key opens nothing', async () => {
  const { path } = await create();
  const answer = await whileDisabled(() => get(path));
  expect(answer).toMatchObject({ __typename: 'KeyUnavailableError', code: 'KEY_UNAVAILABLE' });
  expect(await get(path)).toMatchObject({ version: 1 });
});

test('a changed ciphertext is an opaque failure with a request id, and one FAILED event', async () => {
  const { path } = await create(undefined, 'TAMPERED-PLAINTEXT');
  await tamper(path);
  const events = await eventsOf(async () => {
    const answer = await app.gql(doc.GET, { input: { path } });
    expect(answer.data).toEqual({ getSecretValue: null });
    expect(answer.errors).toHaveLength(1);
    expect(answer.errors?.[0]?.extensions).toEqual({
      code: 'INTERNAL_SERVER_ERROR',
      requestId: expect.any(String) as string,
    });
    expect(answer.text).not.toMatch(/decrypt/i);
  });
  expect(events).toMatchObject([
    { action: 'secret.getValue', outcome: 'FAILED', error_code: 'DECRYPTION_FAILED', resource: path },
  ]);
});

test('a read is one event and the decryption that it caused another, of the same request', async () => {
  const { path } = await create();
  const [read, opened, ...rest] = await eventsOf(() => get(path));
  expect(rest).toEqual([]);
  expect(read).toMatchObject({
    ...{ action: 'secret.getValue', outcome: 'SUCCESS', error_code: null, resource: path },
    ...{ version: 1, caused_by: null },
  });
  expect(opened).toMatchObject({
    ...{ action: 'kms.decrypt', outcome: 'SUCCESS', resource: kmsKeyIdentity, caused_by: 1 },
    request_id: read?.request_id,
  });
});

test('a missing path is one FAILED event and a refusal one DENIED with the reason, hidden from the caller or not', async () => {
  const { path } = await create();
  const missing = freshPath();
  const read = (at: string, caller?: TestCaller) => app.gql(doc.GET, { input: { path: at } }, caller);
  expect(await eventsOf(() => read(missing))).toMatchObject([
    { action: 'secret.getValue', outcome: 'FAILED', error_code: 'NOT_FOUND', resource: missing },
  ]);
  for (const caller of [READER, { roles: [] }]) {
    expect(await eventsOf(() => read(path, caller))).toMatchObject([
      {
        ...{ action: 'secret.getValue', outcome: 'DENIED', error_code: 'ACCESS_DENIED', resource: path },
        details: { permission: 'SECRET_GET_VALUE' },
      },
    ]);
  }
  expect(await eventsOf(() => read(path, { organisation: 'globex' }))).toEqual([]);
});

test('only a successful read of a value moves lastAccessedAt, of the secret and of that version', async () => {
  const { path } = await create();
  await put(path, 'second');
  const seen = async () => (await app.gql(doc.SECRET, { path })).data.secret;
  await get(path, 9);
  await app.gql(doc.GET, { input: { path } }, READER);
  await whileDisabled(() => get(path));
  await put(path, 'third');
  await app.gql(doc.ROLLBACK, { input: { path, toVersion: 1 } });
  expect(await seen()).toMatchObject({ lastAccessedAt: null, currentVersion: 4 });
  app.clock.now = new Date(Date.now() + 5_000);
  try {
    const at = app.clock.now.toISOString();
    await get(path, 2);
    const secret = await seen();
    expect(secret?.lastAccessedAt).toBe(at);
    expect(secret?.versions.nodes.map(({ number, lastAccessedAt }) => [number, lastAccessedAt])).toEqual([
      [4, null],
      [3, null],
      [2, at],
      [1, null],
    ]);
  } finally {
    app.clock.now = null;
  }
});
