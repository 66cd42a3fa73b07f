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

const destroy = (path: string, version: number, caller?: TestCaller) =>
  app.gql(doc.DESTROY, { input: { path, version } }, caller);

test('what the caller may not see answers exactly like what does not exist, and nothing is destroyed', async () => {
  const { path } = await create();
  const { text } = await destroy(freshPath(), 1);
  expect(text).toContain('NOT_FOUND');
  for (const caller of STRANGERS) expect((await destroy(path, 1, caller)).text).toBe(text);
  expect(await get(path)).toMatchObject({ version: 1 });
});

test('a caller who may read the metadata is told that SECRET_DELETE is missing', async () => {
  const { path } = await create();
  expect((await destroy(path, 1, READER)).data.destroySecretVersion).toMatchObject({
    ...{ code: 'ACCESS_DENIED', permission: 'SECRET_DELETE' },
  });
  expect(await get(path)).toMatchObject({ version: 1 });
});

test('an unknown version is missing and one below 1 is refused', async () => {
  const { path } = await create();
  expect((await destroy(path, 2)).data.destroySecretVersion).toMatchObject({ code: 'NOT_FOUND' });
  expect((await destroy(path, 0)).data.destroySecretVersion).toMatchObject({
    ...{ code: 'INVALID_INPUT', field: ['input', 'version'] },
  });
});

test('the data key and the ciphertext are gone from the row, which stays', async () => {
  const { path } = await create();
  await destroy(path, 1);
  const { rows } = await app.database.query(
    'SELECT status, wrapped_data_key, ciphertext, destroyed_by_subject FROM secret_version WHERE secret_id = (SELECT id FROM secret WHERE path = $1)',
    [path],
  );
  expect(rows).toEqual([
    { status: 'DESTROYED', wrapped_data_key: null, ciphertext: null, destroyed_by_subject: 'tester' },
  ]);
});

test('destroying twice answers the first result', async () => {
  const { path } = await create();
  const first = await destroy(path, 1);
  expect(first.data.destroySecretVersion).toMatchObject({
    secret: { currentVersion: null },
    version: { number: 1, status: 'DESTROYED', stage: null },
  });
  app.clock.now = new Date(Date.now() + 60_000);
  try {
    expect((await destroy(path, 1)).text).toBe(first.text);
  } finally {
    app.clock.now = null;
  }
});

test('CURRENT and PREVIOUS fall to the next ACTIVE versions below, and numbers are never used again', async () => {
  const { path } = await create();
  for (const text of ['second', 'third', 'fourth']) await put(path, text);
  const stages = async () => {
    const { secret } = (await app.gql(doc.SECRET, { path })).data;
    return [secret?.currentVersion, secret?.versions.nodes.map(({ number, stage }) => [number, stage])];
  };
  await destroy(path, 3);
  expect(await stages()).toEqual([
    4,
    [
      [4, 'CURRENT'],
      [3, null],
      [2, 'PREVIOUS'],
      [1, null],
    ],
  ]);
  await destroy(path, 4);
  expect(await stages()).toEqual([
    2,
    [
      [4, null],
      [3, null],
      [2, 'CURRENT'],
      [1, 'PREVIOUS'],
    ],
  ]);
  expect(await put(path, 'fifth')).toMatchObject({ version: { number: 5, stage: 'CURRENT' } });
});

test('a destruction is one event, a failed one too', async () => {
  const { path } = await create();
  expect(await eventsOf(() => destroy(path, 7))).toMatchObject([
    { action: 'secret.destroyVersion', outcome: 'FAILED', error_code: 'NOT_FOUND', version: 7 },
  ]);
  const events = await eventsOf(() => destroy(path, 1));
  expect(events).toMatchObject([
    { action: 'secret.destroyVersion', outcome: 'SUCCESS', resource: path, version: 1 },
  ]);
  expect(events).toHaveLength(1);
});
