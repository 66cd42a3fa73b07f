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

const SET = `mutation ($input: SetSecretAccessPolicyInput!) { setSecretAccessPolicy(input: $input) { __typename
  ... on UserError { code message } ... on InvalidInputError { field } ... on ConflictError { expected actual }
  ... on AccessDeniedError { permission }
  ... on SecretPayload { secret { objectVersion accessPolicy { ip { effect cidrs } time { effect days start end timeZone } } } } } }`;
const HERE = ['127.0.0.0/8', '::1/128'];
const ELSEWHERE = ['192.0.2.0/24'];

const set = async (input: Record<string, unknown>, caller?: TestCaller) =>
  (await app.raw(SET, { input }, caller)).data['setSecretAccessPolicy'];

test('what the caller may not see answers exactly like what does not exist', async () => {
  const { path } = await create();
  const { text } = await app.raw(SET, { input: { path: freshPath(), accessPolicy: null } });
  expect(text).toContain('NOT_FOUND');
  for (const caller of STRANGERS) {
    expect((await app.raw(SET, { input: { path, accessPolicy: null } }, caller)).text).toBe(text);
  }
});

test('a caller who may read the metadata is told that SECRET_UPDATE is missing', async () => {
  const { path } = await create();
  expect(await set({ path, accessPolicy: null }, READER)).toMatchObject({ permission: 'SECRET_UPDATE' });
});

const time = { effect: 'ALLOW', start: '08:00', end: '18:00', timeZone: 'Europe/Berlin' };
test.each([
  ['nothing at all', undefined, []],
  ['neither type', {}, []],
  ['empty types', { ip: [], time: [] }, []],
  ['a range with host bits', { ip: [{ effect: 'ALLOW', cidrs: ['10.1.0.0/8'] }] }, ['ip', '0', 'cidrs', '0']],
  ['an octal range', { ip: [{ effect: 'ALLOW', cidrs: ['010.0.0.0/8'] }] }, ['ip', '0', 'cidrs', '0']],
  ['start = end', { time: [{ ...time, end: '08:00' }] }, ['time', '0']],
  ['an unknown zone', { time: [{ ...time, timeZone: 'MARKER/Nowhere' }] }, ['time', '0', 'timeZone']],
  ['a time that is none', { time: [{ ...time, start: '8:00' }] }, ['time', '0', 'start']],
])('a policy of %s is refused by its field and never recorded', async (_, accessPolicy, field) => {
  const { path } = await create();
  const events = await eventsOf(async () => {
    const answer = await set({ path, accessPolicy });
    expect(answer).toMatchObject({ code: 'INVALID_INPUT' });
    const told = (answer as { field: string[] }).field;
    expect(told.slice(0, 2 + field.length)).toEqual(['input', 'accessPolicy', ...field]);
    expect(JSON.stringify(answer)).not.toContain('MARKER');
  });
  expect(events).toEqual([]);
});

test('a matching DENY refuses read, put and rollback to whoever has every right, and not the metadata', async () => {
  const { path } = await create();
  await set({
    path,
    accessPolicy: {
      ip: [
        { effect: 'ALLOW', cidrs: HERE },
        { effect: 'DENY', cidrs: HERE },
      ],
    },
  });
  expect(await get(path)).toMatchObject({ code: 'ACCESS_DENIED', permission: 'SECRET_GET_VALUE' });
  expect(await put(path, 'next')).toMatchObject({ code: 'ACCESS_DENIED', permission: 'SECRET_PUT_VALUE' });
  const { data: answer } = await app.gql(doc.ROLLBACK, { input: { path, toVersion: 1 } });
  expect(answer.rollbackSecret).toMatchObject({ code: 'ACCESS_DENIED', permission: 'SECRET_PUT_VALUE' });
  expect((await app.gql(doc.SECRET, { path })).data.secret).toMatchObject({ path });
  expect(await eventsOf(() => get(path))).toMatchObject([
    { outcome: 'DENIED', details: { reason: 'DENIED_BY_ACCESS_POLICY' } },
  ]);
});

test('ALLOW conditions need one of their type to match, and null clears them', async () => {
  const { path } = await create();
  await set({ path, accessPolicy: { ip: [{ effect: 'ALLOW', cidrs: ELSEWHERE }] } });
  expect(await get(path)).toMatchObject({ code: 'ACCESS_DENIED' });
  await set({ path, accessPolicy: { ip: [{ effect: 'ALLOW', cidrs: [...ELSEWHERE, ...HERE] }] } });
  expect(await get(path)).toMatchObject({ version: 1 });
  await set({ path, accessPolicy: { ip: [{ effect: 'DENY', cidrs: HERE }] } });
  expect(await set({ path, accessPolicy: null })).toMatchObject({
    secret: { accessPolicy: null, objectVersion: 5 },
  });
  expect(await get(path)).toMatchObject({ version: 1 });
});

/** A token that outlives what the clock does here. */
async function longLived(): Promise<Record<string, string>> {
  const claims = { organisation: 'acme', roles: ['strongroom:admin'], subject: 'tester' };
  const token = await app.app.developmentIssuer?.mint({ ...claims, ttlSeconds: 20 * 365 * 24 * 3600 });
  return { authorization: `Bearer ${token ?? ''}` };
}

test('a wall clock decides by the zone, up to its end', async () => {
  const { path } = await create();
  await set({ path, accessPolicy: { time: [time] } });
  const headers = await longLived();
  try {
    for (const [at, allowed] of [
      ['2031-01-15T06:59:59.999Z', false],
      ['2031-01-15T07:00:00.000Z', true],
      ['2031-01-15T16:59:59.999Z', true],
      ['2031-01-15T17:00:00.000Z', false],
      ['2031-07-15T06:00:00.000Z', true],
      ['2031-07-15T16:00:00.000Z', false],
    ] as const) {
      app.clock.now = new Date(at);
      const read = await app.gql(doc.GET, { input: { path } }, undefined, headers);
      expect([at, read.data.getSecretValue?.__typename]).toEqual([
        at,
        allowed ? 'SecretValue' : 'AccessDeniedError',
      ]);
    }
  } finally {
    app.clock.now = null;
  }
});

test('a stale expectedObjectVersion is a conflict, and setting is one event', async () => {
  const { path } = await create();
  expect(await set({ path, accessPolicy: null, expectedObjectVersion: 3 })).toMatchObject({
    ...{ code: 'CONFLICT', expected: 3, actual: 1 },
  });
  const events = await eventsOf(() => set({ path, accessPolicy: null, expectedObjectVersion: 1 }));
  expect(events).toMatchObject([
    { action: 'secret.setAccessPolicy', resource: path, details: { cleared: 'true' } },
  ]);
  expect(events).toHaveLength(1);
});
