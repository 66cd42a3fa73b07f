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

async function createDeleted() {
  const created = await create();
  await app.raw(doc.DELETE, { input: { path: created.path } });
  return created;
}

const purge = (id: string, caller?: TestCaller) => app.gql(doc.PURGE, { input: { id } }, caller);

test('what the caller may not see answers exactly like what does not exist', async () => {
  const { id } = await createDeleted();
  const unknown = Buffer.from(`Secret:local-1:${'0'.repeat(8)}-0000-4000-8000-${'0'.repeat(12)}`);
  const { text } = await purge(unknown.toString('base64url'));
  expect(text).toContain('NOT_FOUND');
  for (const caller of STRANGERS) expect((await purge(id, caller)).text).toBe(text);
  expect((await app.gql(doc.RESTORE, { input: { id } })).data.restoreSecret).toMatchObject({
    secret: { id },
  });
});

test('a caller who may read the metadata is told that SECRET_PURGE is missing', async () => {
  const { id, path } = await createDeleted();
  const events = await eventsOf(async () => {
    expect((await purge(id, READER)).data.purgeSecret).toMatchObject({
      ...{ code: 'ACCESS_DENIED', permission: 'SECRET_PURGE' },
    });
  });
  expect(events).toMatchObject([{ action: 'secret.purge', outcome: 'DENIED', resource: path }]);
});

test('a live secret is not purged, and text that is no id is refused', async () => {
  const { id } = await create();
  expect((await purge(id)).data.purgeSecret).toMatchObject({ code: 'NOT_FOUND' });
  expect((await purge('MARKER')).data.purgeSecret).toMatchObject({
    code: 'INVALID_INPUT',
    field: ['input', 'id'],
  });
});

test('everything of the secret is gone but its events, and purging again finds nothing', async () => {
  const { id, path } = await create();
  await app.gql(doc.GET, { input: { path } });
  await app.raw(doc.DELETE, { input: { path } });
  const count = async () => {
    const { rows } = await app.database.query<{ n: number }>(
      `SELECT ((SELECT count(*) FROM secret) + (SELECT count(*) FROM secret_version)
         + (SELECT count(*) FROM secret_access) + (SELECT count(*) FROM secret_version_access))::int AS n`,
    );
    return rows[0]?.n ?? 0;
  };
  const before = await count();
  const events = await eventsOf(async () => {
    expect((await purge(id)).data.purgeSecret).toEqual({ __typename: 'PurgeSecretPayload', id });
  });
  expect(before - (await count())).toBe(4);
  expect(events).toMatchObject([
    { action: 'secret.purge', outcome: 'SUCCESS', resource: path, details: { versions: '1' } },
  ]);
  expect((await purge(id)).data.purgeSecret).toMatchObject({ code: 'NOT_FOUND' });
});
