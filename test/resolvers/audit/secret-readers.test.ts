import { afterAll, beforeAll, expect, test } from 'vitest';
import * as doc from '../../e2e/documents.ts';
import { graphql } from '../../support/graphql.ts';
import { data, freshPath, type TestApp, type TestCaller, testApp } from '../../support/test-app.ts';

const READERS = graphql(`
  query Readers(
    $path: SecretPath!
    $since: DateTime
    $first: Int
    $after: String
    $last: Int
    $before: String
  ) {
    secret(path: $path) {
      readers(since: $since, first: $first, after: $after, last: $last, before: $before) {
        nodes {
          reader {
            subject
            issuer
          }
          reads
          lastReadAt
        }
        pageInfo {
          hasNextPage
          hasPreviousPage
          startCursor
          endCursor
        }
      }
    }
  }
`);

let app: TestApp;
let kmsKeyIdentity: string;

beforeAll(async () => {
  app = await testApp();
  kmsKeyIdentity = (await app.gql(doc.KMS_KEYS, {})).data.kmsKeys?.nodes[0]?.identity ?? '';
});
afterAll(() => app.close());

async function create(path = freshPath(), value: Record<string, unknown> = { secretString: data('v') }) {
  const answer = await app.raw(doc.CREATE, { input: { path, kmsKeyIdentity, value } });
  if (!answer.text.includes('SecretVersionPayload')) throw new Error(answer.text);
  return path;
}
const get = (path: string, caller: TestCaller = {}, more: { version?: number } = {}) =>
  app.gql(doc.GET, { input: { path, ...more } }, caller);

interface Args {
  readonly since?: string | null;
  readonly first?: number | null;
  readonly after?: string | null;
  readonly last?: number | null;
  readonly before?: string | null;
}
async function page(path: string, args: Args = {}) {
  const answer = await app.gql(READERS, { path, ...args });
  const readers = answer.data.secret?.readers;
  if (!readers) throw new Error(answer.text);
  return readers;
}
const told = async (path: string, args: Args = {}) =>
  (await page(path, args)).nodes.map(({ reader, reads }) => `${reader.subject} ${reads}`);

test('readers are null without AUDIT_READ, beside the rest of the secret', async () => {
  const path = await create();
  await get(path);
  const answer = await app.gql(READERS, { path }, { roles: ['secrets:FullAccess'] });
  expect(answer.errors).toBeUndefined();
  expect(answer.data).toEqual({ secret: { readers: null } });
  const both = await app.gql(READERS, { path }, { roles: ['secrets:ReadAccess', 'audit:ReadAccess'] });
  expect(both.data.secret?.readers?.nodes).toHaveLength(1);
});

test.each([
  [{ since: 'MARKER' }, ['since']],
  [{ first: 0 }, ['first']],
  [{ after: 'MARKER' }, ['after']],
])('%j is refused by its field, never quoted', async (args, field) => {
  const answer = await app.raw(READERS, { path: await create(), ...args });
  expect(answer.errors?.[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', field });
  expect(answer.text).not.toContain('MARKER');
});

test('a cursor of another secret is refused', async () => {
  const [path, other] = [await create(), await create()];
  await get(path);
  const after = (await page(path)).pageInfo.endCursor;
  const answer = await app.raw(READERS, { path: other, after });
  expect(answer.errors?.[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', field: ['after'] });
});

test('successful reads alone count, of any version, by whoever read, through any query', async () => {
  const path = await create();
  await get(path, { subject: 'anna' });
  await get(path, { subject: 'anna' }, { version: 1 });
  await get(path, { subject: 'anna' }, { version: 2 });
  await get(path, { subject: 'ben', roles: ['secrets:ReadAccess'] });
  await app.gql(doc.GET_MANY, { input: { secrets: [{ path }, { path }] } }, { subject: 'cleo' });
  await app.gql(doc.SECRET, { path }, { subject: 'dora' });
  expect(await told(path)).toEqual(['anna 2', 'cleo 2']);
});

test('since counts from an instant, and the last read is told', async () => {
  const path = await create();
  await get(path, { subject: 'anna' });
  await get(path, { subject: 'ben' });
  const later = new Date(Date.now() + 10 * 60_000);
  app.clock.now = later;
  try {
    await get(path, { subject: 'ben' });
  } finally {
    app.clock.now = null;
  }
  expect(await told(path)).toEqual(['anna 1', 'ben 2']);
  expect((await page(path, { since: later.toISOString() })).nodes).toEqual([
    {
      reader: { subject: 'ben', issuer: expect.any(String) as string },
      reads: 1,
      lastReadAt: later.toISOString(),
    },
  ]);
  expect(await told(path, { since: new Date(later.getTime() + 1).toISOString() })).toEqual([]);
});

test('a new secret at the same path has readers of its own', async () => {
  const path = await create();
  await get(path, { subject: 'anna' });
  await app.gql(doc.DELETE, { input: { path } });
  await create(path);
  expect(await told(path)).toEqual([]);
});

test('readers are paged in both directions', async () => {
  const path = await create();
  const names = ['a', 'b', 'c', 'd', 'e'];
  for (const subject of names) await get(path, { subject });
  const forward: string[] = [];
  for (let after: string | null = null; ;) {
    const { nodes, pageInfo }: Awaited<ReturnType<typeof page>> = await page(path, { first: 2, after });
    forward.push(...nodes.map(({ reader }) => reader.subject));
    if (!pageInfo.hasNextPage) break;
    after = pageInfo.endCursor;
  }
  expect(forward).toEqual(names);
  const end = await page(path, { last: 2 });
  expect(end.nodes.map(({ reader }) => reader.subject)).toEqual(['d', 'e']);
  expect(await told(path, { last: 2, before: end.pageInfo.startCursor })).toEqual(['b 1', 'c 1']);
});

test('a generated version that nobody ever read shows, as does a secret with nothing else', async () => {
  const path = await create(freshPath(), { generateSecret: { randomBytes: { byteLength: 32 } } });
  await get(path);
  await app.raw(doc.PUT, {
    input: { path, value: { generateSecret: { password: { length: 20 } } } },
  });
  const { data: answer } = await app.gql(doc.SECRET, { path });
  expect(answer.secret?.versions.nodes).toMatchObject([
    { number: 2, lastAccessedAt: null },
    { number: 1, lastAccessedAt: expect.any(String) as string },
  ]);
  const never = await create(`${path}/never`, { generateSecret: { randomBytes: { byteLength: 32 } } });
  const found = await app.raw(doc.SECRETS, {
    filter: { pathPrefix: path, notAccessedSince: '2020-01-01T00:00:00Z' },
  });
  expect(found.data['secrets']).toMatchObject({ totalCount: 1, nodes: [{ path: never }] });
  expect(await told(never)).toEqual([]);
});

test('the readers of a secret are counted from an index, without a scan', async () => {
  await app.database.query(
    `INSERT INTO audit_event (organisation, sequence, id, at, action, outcome, project, region, actor_subject, actor_issuer,
       actor_roles, resource_type, resource_id, request_id, details, previous_hash, hash)
     SELECT 'big', n, gen_random_uuid(), now(), 'secret.getValue', 'SUCCESS', '', 'local-1', 'subject-' || n % 7,
       'https://id.example', '{}', 'secret', 'secret-' || n % 1000, 'r', '{}', '', '' FROM generate_series(1, 30000) n`,
  );
  await app.database.query('VACUUM ANALYZE audit_event');
  const { rows } = await app.database.query<{ 'QUERY PLAN': string }>(
    `EXPLAIN (COSTS off) SELECT actor_issuer, actor_subject, count(*), max(at) FROM audit_event
     WHERE organisation = 'big' AND resource_id = 'secret-5' AND action = 'secret.getValue' AND outcome = 'SUCCESS'
     GROUP BY actor_issuer, actor_subject ORDER BY actor_issuer, actor_subject LIMIT 101`,
  );
  expect(rows.map((row) => row['QUERY PLAN']).join('\n')).toContain(
    'Index Only Scan using audit_event_reader_idx',
  );
});
