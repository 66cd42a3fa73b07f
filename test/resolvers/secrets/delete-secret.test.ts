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

const remove = (path: string, recoveryWindowDays?: number, caller?: TestCaller) =>
  app.raw(doc.DELETE, { input: { path, recoveryWindowDays } }, caller);

test('what the caller may not see answers exactly like what does not exist, and nothing is deleted', async () => {
  const { path } = await create();
  for (const days of [30, 0]) {
    const { text } = await remove(freshPath(), days);
    expect(text).toContain('NOT_FOUND');
    for (const caller of STRANGERS) expect((await remove(path, days, caller)).text).toBe(text);
  }
  expect(await get(path)).toMatchObject({ version: 1 });
});

test('a caller who may read the metadata is told that SECRET_DELETE is missing', async () => {
  const { path } = await create();
  for (const days of [30, 0]) {
    expect((await remove(path, days, READER)).data['deleteSecret']).toMatchObject({
      ...{ code: 'ACCESS_DENIED', permission: 'SECRET_DELETE' },
    });
  }
  expect(await eventsOf(() => remove(path, 30, READER))).toMatchObject([
    { action: 'secret.delete', outcome: 'DENIED', resource: path },
  ]);
});

test.each([-1, 91])('a recovery window of %i days is refused', async (days) => {
  const { path } = await create();
  const events = await eventsOf(async () => {
    expect((await remove(path, days)).data['deleteSecret']).toMatchObject({
      ...{ code: 'INVALID_INPUT', field: ['input', 'recoveryWindowDays'] },
    });
  });
  expect(events).toEqual([]);
  expect(await get(path)).toMatchObject({ version: 1 });
});

test('a window of 0 purges at once and answers the id of what was', async () => {
  const { path, id } = await create();
  const events = await eventsOf(async () => {
    expect((await remove(path, 0)).data['deleteSecret']).toEqual({ __typename: 'PurgeSecretPayload', id });
  });
  expect(events).toMatchObject([{ action: 'secret.purge', details: { recoveryWindowDays: '0' } }]);
  const { rows } = await app.database.query('SELECT 1 FROM secret WHERE path = $1', [path]);
  expect(rows).toEqual([]);
  expect((await app.gql(doc.RESTORE, { input: { id } })).data.restoreSecret).toMatchObject({
    code: 'NOT_FOUND',
  });
});

test('the path is free at once, for 30 days by default, and deleting again finds nothing', async () => {
  const { path, id } = await create();
  const events = await eventsOf(() => remove(path));
  expect(events).toMatchObject([{ action: 'secret.delete', outcome: 'SUCCESS', resource: path }]);
  const { rows } = await app.database.query<{ days: number }>(
    'SELECT extract(epoch FROM purge_at - deleted_at)::int / 86400 AS days FROM secret WHERE path = $1',
    [path],
  );
  expect(rows).toEqual([{ days: 30 }]);
  expect((await remove(path)).data['deleteSecret']).toMatchObject({ code: 'NOT_FOUND' });
  expect(await get(path)).toMatchObject({ code: 'NOT_FOUND' });
  expect((await app.gql(doc.SECRET, { path })).data.secret).toBeNull();
  expect((await create(path)).id).not.toBe(id);
});
