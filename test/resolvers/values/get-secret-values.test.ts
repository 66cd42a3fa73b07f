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

const getMany = async (
  secrets: { path: string; version?: number; keys?: string[] }[],
  caller?: TestCaller,
) => {
  const answer = await app.gql(doc.GET_MANY, { input: { secrets } }, caller);
  const many = answer.data.getSecretValues;
  return many?.__typename === 'GetSecretValuesPayload' ? many.results : many;
};

test('none and more than 100 are refused', async () => {
  const refused = { code: 'INVALID_INPUT', field: ['input', 'secrets'] };
  expect(await getMany([])).toMatchObject(refused);
  expect(await getMany(Array.from({ length: 101 }, () => ({ path: '/a' })))).toMatchObject(refused);
});

test('two batches in one document cannot open more than 100 values', async () => {
  const secrets = Array.from({ length: 60 }, () => ({ path: '/a' }));
  const { errors } = await app.raw(
    `query ($i: GetSecretValuesInput!) {
      a: getSecretValues(input: $i) { __typename } b: getSecretValues(input: $i) { __typename } }`,
    { i: { secrets } },
  );
  expect(errors?.[0]?.extensions['code']).toBe('QUERY_TOO_COMPLEX');
});

test('what the caller may not see answers exactly like what does not exist', async () => {
  const { path } = await create();
  const { text } = await app.gql(doc.GET_MANY, { input: { secrets: [{ path: freshPath() }] } });
  for (const caller of STRANGERS) {
    expect((await app.gql(doc.GET_MANY, { input: { secrets: [{ path }] } }, caller)).text).toBe(text);
  }
});

test('each item succeeds or fails by itself, in the order asked for, the same one twice included', async () => {
  const a = await create();
  const b = await create();
  await app.gql(doc.DESTROY, { input: { path: b.path, version: 1 } });
  const wanted = [b, a, a].map(({ path }) => ({ path }));
  expect(
    await getMany([
      ...wanted,
      { path: a.path, version: 0 },
      { path: b.path, version: 1 },
      { path: a.path, keys: ['x'] },
    ]),
  ).toMatchObject([
    { code: 'NOT_FOUND' },
    { path: a.path, secretString: data('first') },
    { path: a.path, secretString: data('first') },
    { code: 'INVALID_INPUT', field: ['input', 'secrets', '3', 'version'] },
    { code: 'VERSION_DESTROYED' },
    { code: 'INVALID_INPUT', field: ['input', 'secrets', '5', 'keys'] },
  ]);
  expect(await getMany([{ path: a.path }], READER)).toMatchObject([
    { code: 'ACCESS_DENIED', permission: 'SECRET_GET_VALUE' },
  ]);
});

test('one value that does not open fails alone', async () => {
  const good = await create();
  const bad = await create();
  await tamper(bad.path);
  const events = await eventsOf(async () => {
    const answer = await app.gql(doc.GET_MANY, {
      input: { secrets: [{ path: bad.path }, { path: good.path }] },
    });
    expect(answer.data.getSecretValues).toMatchObject({ results: [null, { path: good.path }] });
    expect(answer.errors).toMatchObject([
      { path: ['getSecretValues', 'results', 0], extensions: { code: 'INTERNAL_SERVER_ERROR' } },
    ]);
  });
  expect(events).toMatchObject([
    { action: 'secret.getValue', outcome: 'FAILED', error_code: 'DECRYPTION_FAILED', resource: bad.path },
    { action: 'secret.getValue', outcome: 'SUCCESS', resource: good.path },
    { action: 'kms.decrypt', caused_by: 2 },
  ]);
});

test('each value read is an event of its own with its decryption, all of one request; malformed items are none', async () => {
  const a = await create();
  const b = await create();
  const events = await eventsOf(() => getMany([{ path: a.path }, { path: 'malformed' }, { path: b.path }]));
  expect(events).toMatchObject([
    { action: 'secret.getValue', resource: a.path, caused_by: null },
    { action: 'kms.decrypt', caused_by: 1 },
    { action: 'secret.getValue', resource: b.path, caused_by: null },
    { action: 'kms.decrypt', caused_by: 3 },
  ]);
  expect(new Set(events.map(({ request_id }) => request_id)).size).toBe(1);
});
