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

const DAY_MS = 24 * 60 * 60 * 1000;

async function createDeleted(text?: string) {
  const created = await create(undefined, text);
  await app.raw(doc.DELETE, { input: { path: created.path } });
  return created;
}

const restore = (id: string, path?: string, caller?: TestCaller) =>
  app.gql(doc.RESTORE, { input: { id, path } }, caller);

test('what the caller may not see answers exactly like what does not exist', async () => {
  const { id } = await createDeleted();
  const unknown = Buffer.from(`Secret:local-1:${'0'.repeat(8)}-0000-4000-8000-${'0'.repeat(12)}`);
  for (const path of [undefined, freshPath()]) {
    const { text } = await restore(unknown.toString('base64url'), path);
    expect(text).toContain('NOT_FOUND');
    for (const caller of STRANGERS) expect((await restore(id, path, caller)).text).toBe(text);
  }
});

test('a live secret is no deleted one', async () => {
  const { id } = await create();
  expect((await restore(id)).data.restoreSecret).toMatchObject({ code: 'NOT_FOUND' });
});

test('text that is no id of a secret is refused by its field', async () => {
  const { id } = await createDeleted();
  const folder = Buffer.from('Folder:local-1:/a').toString('base64url');
  for (const bad of ['', 'MARKER', `${id}=`, folder]) {
    const answer = await restore(bad);
    expect(answer.data.restoreSecret).toMatchObject({ code: 'INVALID_INPUT', field: ['input', 'id'] });
    expect(answer.text).not.toContain('MARKER');
  }
  expect((await restore(id, '/a//b')).data.restoreSecret).toMatchObject({ field: ['input', 'path'] });
});

test('without SECRET_DELETE nothing comes back, neither to its own path nor to another', async () => {
  const { id, path } = await createDeleted();
  for (const roles of [['secrets:ReadAccess'], ['secrets:ValueAccess']]) {
    for (const to of [undefined, path, freshPath()]) {
      expect((await restore(id, to, { roles })).data.restoreSecret).toMatchObject({
        ...{ code: 'ACCESS_DENIED', permission: 'SECRET_DELETE' },
      });
    }
  }
});

test('a move is refused while the access policy of the secret refuses, which travels along', async () => {
  const accessPolicy = { ip: [{ effect: 'DENY', cidrs: ['127.0.0.0/8', '::1/128'] }] };
  const path = freshPath();
  const value = { secretString: data('guarded') };
  const made = await app.raw(doc.CREATE, { input: { path, kmsKeyIdentity, value, accessPolicy } });
  const { id } = (made.data['createSecret'] as { secret: { id: string } }).secret;
  expect(await get(path)).toMatchObject({ code: 'ACCESS_DENIED' });
  await app.raw(doc.DELETE, { input: { path } });
  expect((await restore(id, freshPath())).data.restoreSecret).toMatchObject({
    ...{ code: 'ACCESS_DENIED', permission: 'SECRET_GET_VALUE' },
  });
  expect((await restore(id)).data.restoreSecret).toMatchObject({ secret: { id, path, deletedAt: null } });
  expect(await get(path)).toMatchObject({ code: 'ACCESS_DENIED' });
});

test('a taken path is refused, its own and another, and the deleted secret stays restorable', async () => {
  const { id, path } = await createDeleted('old');
  await create(path, 'new');
  const other = await create();
  for (const to of [undefined, path, other.path]) {
    expect((await restore(id, to)).data.restoreSecret).toMatchObject({ code: 'ALREADY_EXISTS' });
  }
  const free = freshPath();
  expect((await restore(id, free)).data.restoreSecret).toMatchObject({ secret: { path: free } });
  expect(await get(free)).toMatchObject({ secretString: data('old') });
  expect(await get(path)).toMatchObject({ secretString: data('new') });
});

test('a disabled KMS key moves nothing, and gives back to its own path', async () => {
  const { id, path } = await createDeleted();
  const moved = await whileDisabled(() => restore(id, freshPath()));
  expect(moved.data.restoreSecret).toMatchObject({ code: 'KEY_UNAVAILABLE' });
  const back = await whileDisabled(() => restore(id));
  expect(back.data.restoreSecret).toMatchObject({ secret: { path } });
});

test('a move binds every active version to its new path without opening a value', async () => {
  const { id, path } = await create();
  await put(path, 'second');
  await put(path, 'third');
  await app.gql(doc.DESTROY, { input: { path, version: 2 } });
  await app.raw(doc.DELETE, { input: { path } });
  const to = freshPath();
  const events = await eventsOf(() => restore(id, to));
  expect(events).toMatchObject([
    { action: 'secret.restore', outcome: 'SUCCESS', details: { path: to } },
    { action: 'kms.rewrap', caused_by: 1, details: { secretVersion: '1' } },
    { action: 'kms.rewrap', caused_by: 1, details: { secretVersion: '3' } },
  ]);
  expect(await get(to, 1)).toMatchObject({ secretString: data('first') });
  expect(await get(to)).toMatchObject({ version: 3, secretString: data('third') });
  expect(await get(to, 2)).toMatchObject({ code: 'VERSION_DESTROYED' });
});

test('a move does not heal what was tampered with', async () => {
  const { id, path } = await createDeleted();
  await tamper(path);
  const to = freshPath();
  await restore(id, to);
  expect((await app.gql(doc.GET, { input: { path: to } })).errors?.[0]?.extensions['code']).toBe(
    'INTERNAL_SERVER_ERROR',
  );
});

/** A token that outlives what the clock does here. */
async function longLived(): Promise<Record<string, string>> {
  const claims = { organisation: 'acme', roles: ['strongroom:admin'], subject: 'tester' };
  const token = await app.app.developmentIssuer?.mint({ ...claims, ttlSeconds: 20 * 365 * 24 * 3600 });
  return { authorization: `Bearer ${token ?? ''}` };
}

test('the recovery window ends to the millisecond, for restore, list and node alike', async () => {
  const headers = await longLived();
  const { id, path } = await create();
  const start = new Date(Date.now() + 60_000);
  app.clock.now = start;
  try {
    await app.raw(doc.DELETE, { input: { path } });
    const seen = async () => {
      const list = await app.gql(doc.DELETED, {}, undefined, headers);
      const node = await app.raw('query ($id: ID!) { node(id: $id) { id } }', { id }, undefined, headers);
      return [list.data.deletedSecrets?.nodes.some((listed) => listed.id === id), node.data['node']];
    };
    const answer = async () =>
      (await app.gql(doc.RESTORE, { input: { id } }, undefined, headers)).data.restoreSecret;
    const end = start.getTime() + 30 * DAY_MS;
    app.clock.now = new Date(end - 1);
    expect(await seen()).toEqual([true, { id }]);
    app.clock.now = new Date(end);
    expect(await seen()).toEqual([false, null]);
    expect(await answer()).toMatchObject({ code: 'NOT_FOUND' });
    app.clock.now = new Date(end - 1);
    expect(await answer()).toMatchObject({ secret: { path } });
  } finally {
    app.clock.now = null;
  }
});

test('a restore is one event and a refusal one', async () => {
  const { id, path } = await createDeleted();
  expect(await eventsOf(() => restore(id, undefined, READER))).toMatchObject([
    { action: 'secret.restore', outcome: 'DENIED', resource: path, details: { permission: 'SECRET_DELETE' } },
  ]);
  const events = await eventsOf(() => restore(id));
  expect(events).toMatchObject([{ action: 'secret.restore', outcome: 'SUCCESS', resource: path }]);
  expect(events).toHaveLength(1);
});
