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

const UPDATE = `mutation ($input: UpdateSecretInput!) { updateSecret(input: $input) { __typename
  ... on UserError { code message } ... on InvalidInputError { field } ... on ConflictError { expected actual }
  ... on AccessDeniedError { permission }
  ... on SecretPayload { secret { description labels { key value } annotations { key value } objectVersion currentVersion } } } }`;

const update = async (input: Record<string, unknown>, caller?: TestCaller) =>
  (await app.raw(UPDATE, { input }, caller)).data['updateSecret'];

test('what the caller may not see answers exactly like what does not exist', async () => {
  const { path } = await create();
  const { text } = await app.raw(UPDATE, { input: { path: freshPath(), description: 'x' } });
  expect(text).toContain('NOT_FOUND');
  for (const caller of STRANGERS) {
    expect((await app.raw(UPDATE, { input: { path, description: 'x' } }, caller)).text).toBe(text);
  }
});

test('a caller who may read the metadata is told that SECRET_UPDATE is missing', async () => {
  const { path } = await create();
  expect(await update({ path, description: 'x' }, READER)).toMatchObject({
    ...{ code: 'ACCESS_DENIED', permission: 'SECRET_UPDATE' },
  });
});

test('null for a list and an expectedObjectVersion below 0 are refused by their fields', async () => {
  const { path } = await create();
  for (const name of ['labels', 'annotations']) {
    expect(await update({ path, [name]: null })).toMatchObject({
      code: 'INVALID_INPUT',
      field: ['input', name],
    });
  }
  expect(await update({ path, expectedObjectVersion: -1 })).toMatchObject({
    field: ['input', 'expectedObjectVersion'],
  });
});

test('an expectedObjectVersion that is not the actual one is a conflict that tells both', async () => {
  const { path } = await create();
  expect(await update({ path, description: 'x', expectedObjectVersion: 2 })).toMatchObject({
    ...{ code: 'CONFLICT', expected: 2, actual: 1 },
  });
  expect(await update({ path, description: 'x', expectedObjectVersion: 1 })).toMatchObject({
    secret: { description: 'x', objectVersion: 2 },
  });
});

test('two concurrent updates with the same expectation: exactly one wins', async () => {
  const { path } = await create();
  const both = await Promise.all(
    ['a', 'b'].map((description) => update({ path, description, expectedObjectVersion: 1 })),
  );
  expect(both.filter((answer) => (answer as { code?: string }).code === 'CONFLICT')).toHaveLength(1);
});

test('what is given changes, what is left out stays, null and [] clear', async () => {
  const { path } = await create();
  const labels = [{ key: 'team', value: 'core' }];
  const annotations = [{ key: 'note', value: 'a note\nof two lines' }];
  await update({ path, description: 'text', labels, annotations });
  expect(await update({ path, labels: [{ key: '__proto__', value: 'v' }] })).toMatchObject({
    secret: {
      description: 'text',
      labels: [{ key: '__proto__', value: 'v' }],
      annotations,
      objectVersion: 3,
    },
  });
  expect(await update({ path, description: null, labels: [], annotations: [] })).toMatchObject({
    secret: { description: null, labels: [], annotations: [], objectVersion: 4, currentVersion: 1 },
  });
});

test('an update is one event that names what changed, not to what', async () => {
  const { path } = await create();
  const events = await eventsOf(() => update({ path, description: 'VALUE', labels: [] }));
  expect(events).toMatchObject([
    {
      action: 'secret.update',
      outcome: 'SUCCESS',
      resource: path,
      details: { changed: 'description, labels' },
    },
  ]);
  expect(events).toHaveLength(1);
  expect(JSON.stringify(events)).not.toContain('VALUE');
});
