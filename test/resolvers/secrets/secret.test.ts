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

test('what the caller may not see answers exactly like what does not exist', async () => {
  const { path } = await create();
  const { text } = await app.gql(doc.SECRET, { path: freshPath() });
  expect(JSON.parse(text)).toEqual({ data: { secret: null } });
  for (const caller of STRANGERS) expect((await app.gql(doc.SECRET, { path }, caller)).text).toBe(text);
});

test('a bad path, region or version number is refused by its field, never quoted', async () => {
  const { path } = await create();
  for (const [query, field] of [
    [
      'query ($path: SecretPath!) { secret(path: "/MARKER/") { id } s2: secret(path: $path) { id } }',
      ['path'],
    ],
    ['query ($path: SecretPath!) { secret(path: $path, region: "MARKER") { id } }', ['region']],
    ['query ($path: SecretPath!) { secret(path: $path) { version(number: 0) { id } } }', ['number']],
  ] as const) {
    const answer = await app.raw(query, { path });
    expect(answer.errors?.[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', field });
    expect(answer.text).not.toContain('MARKER');
  }
});

test('whoever may read the metadata reads it without the value, the KMS key or an event', async () => {
  const { path, id } = await create(undefined, 'VALUE-NOT-METADATA');
  const events = await eventsOf(async () => {
    const answer = await app.gql(doc.SECRET, { path }, READER);
    expect(answer.data.secret).toMatchObject({
      ...{ id, path, name: 'secret', region: 'local-1', organisation: 'acme', project: null },
      ...{ kmsKeyIdentity, kmsKey: null, currentVersion: 1, objectVersion: 1, lastAccessedAt: null },
      createdBy: { subject: 'tester' },
      version: { number: 1, stage: 'CURRENT' },
    });
    expect(answer.text).not.toContain(data('VALUE-NOT-METADATA'));
  });
  expect(events).toEqual([]);
});
