import { afterAll, beforeAll, expect, test } from 'vitest';
import * as doc from '../../e2e/documents.ts';
import { type TestApp, type TestCaller, testApp } from '../../support/test-app.ts';

let app: TestApp;

beforeAll(async () => {
  app = await testApp();
});
afterAll(() => app.close());

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

const KEY_ADMIN: TestCaller = { roles: ['kms:FullAccess'] };
const CREATE_KEY = `mutation ($input: CreateKmsKeyInput!) { createKmsKey(input: $input) { __typename
  ... on UserError { code message } ... on InvalidInputError { field } ... on AccessDeniedError { permission }
  ... on KmsKeyPayload { kmsKey { id identity name keyType status provider latestVersion rotationEnabled
    rotationPeriodDays versions { nodes { version } } } } } }`;
let count = 0;

const createKey = (input: Record<string, unknown> = {}, caller?: TestCaller) =>
  app.raw(CREATE_KEY, { input: { name: `key-${count++}`, ...input } }, caller);
const identityOf = (answer: Awaited<ReturnType<typeof createKey>>) =>
  (answer.data['createKmsKey'] as { kmsKey: { identity: string } }).kmsKey.identity;
const kmsKey = (identity: string, caller?: TestCaller) =>
  app.raw(
    'query ($identity: String!) { kmsKey(identity: $identity) { identity status } }',
    { identity },
    caller,
  );
const kmsKeys = async (caller?: TestCaller) =>
  (await app.gql(doc.KMS_KEYS, {}, caller)).data.kmsKeys?.nodes.map(({ identity }) => identity) ?? [];

test('creating needs KMS_KEY_CREATE, whatever the name', async () => {
  for (const roles of [['secrets:FullAccess'], ['kms:ReadAccess'], []]) {
    for (const name of ['default', 'free']) {
      expect((await createKey({ name }, { roles })).data['createKmsKey']).toMatchObject({
        ...{ code: 'ACCESS_DENIED', permission: 'KMS_KEY_CREATE' },
      });
    }
  }
});

test.each([
  ['name', { name: 'MARKER key' }],
  ['name', { name: '' }],
  ['name', { name: 'MARKER'.padEnd(129, 'x') }],
  ['region', { region: 'MARKER' }],
  ['provider', { provider: 'MARKER' }],
  ['externalKeyId', { externalKeyId: 'MARKER' }],
  ['rotationPeriodDays', { rotationPeriodDays: 0 }],
  ['rotationPeriodDays', { rotationPeriodDays: 3651 }],
  ['description', { description: 'MARKER'.padEnd(1_025, 'x') }],
  ['idempotencyKey', { idempotencyKey: '' }],
])('a bad %s is refused by its field, never quoted and never recorded: %j', async (field, input) => {
  const events = await eventsOf(async () => {
    const answer = await createKey(input);
    expect(answer.data['createKmsKey']).toMatchObject({ code: 'INVALID_INPUT', field: ['input', field] });
    expect(answer.text).not.toContain('MARKER');
  });
  expect(events).toEqual([]);
});

test('a key type that there is not is refused by its field, and never quoted', async () => {
  const answer = await createKey({ keyType: 'MARKER' });
  expect(answer.errors?.[0]).toMatchObject({
    message: 'CreateKmsKeyInput.keyType must be a value of the enum KmsKeyType.',
    extensions: { code: 'BAD_USER_INPUT' },
  });
  expect(answer.text).not.toContain('MARKER');
  const forged = await createKey({
    keyType: 'x" at "input.name"; Value "MARKER" does not exist in "Query" enum',
  });
  expect(forged.errors?.[0]?.message).toMatch(/^(CreateKmsKeyInput\.keyType must be|A variable of type)/);
  expect(forged.text).not.toContain('MARKER');
});

test('a name is taken in its scope and free in every other', async () => {
  expect((await createKey({ name: 'default' })).data['createKmsKey']).toMatchObject({
    code: 'ALREADY_EXISTS',
  });
  for (const caller of [{ project: 'payments' }, { organisation: 'globex' }]) {
    expect((await createKey({ name: 'default' }, caller)).data['createKmsKey']).toMatchObject({
      kmsKey: { name: 'default' },
    });
  }
});

test('a new key is ACTIVE with its first version, and its material is in no answer', async () => {
  for (const keyType of ['AES256_GCM96', 'CHACHA20_POLY1305']) {
    const { data: answer } = await createKey({ keyType, rotationPeriodDays: 90 }, KEY_ADMIN);
    expect(answer['createKmsKey']).toMatchObject({
      kmsKey: {
        ...{ identity: expect.stringMatching(/^kms-[0-9a-v]{20}$/) as string, keyType, status: 'ACTIVE' },
        ...{ provider: 'local', latestVersion: '1', rotationEnabled: true, rotationPeriodDays: 90 },
        versions: { nodes: [{ version: '1' }] },
      },
    });
  }
});

test('an idempotency key gives the same key, once for concurrent twins, and refuses another input', async () => {
  const same = { name: 'twin', idempotencyKey: 'twin' };
  const answers = await Promise.all(Array.from({ length: 6 }, () => createKey(same)));
  expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
  expect((await createKey({ ...same, name: 'other' })).data['createKmsKey']).toMatchObject({
    code: 'IDEMPOTENCY_KEY_REUSED',
  });
});

test('a key that the caller may not see answers exactly like one that does not exist', async () => {
  const identity = identityOf(await createKey());
  const { text } = await kmsKey(`kms-${'0'.repeat(20)}`);
  expect(JSON.parse(text)).toEqual({ data: { kmsKey: null } });
  expect((await kmsKey('\0')).text).toBe(text);
  for (const caller of [
    { organisation: 'globex' },
    { project: 'payments' },
    { roles: ['secrets:ReadAccess'] },
  ]) {
    expect((await kmsKey(identity, caller)).text).toBe(text);
    expect(await kmsKeys(caller)).not.toContain(identity);
  }
  expect((await kmsKey(identity, { roles: ['kms:ReadAccess'] })).data['kmsKey']).toMatchObject({ identity });
});

test('lists hold the scope by identity and are paged, without an event', async () => {
  const caller = { organisation: 'listed' };
  for (let n = 0; n < 3; n++) await createKey({}, caller);
  const all = await kmsKeys(caller);
  expect(all).toHaveLength(3);
  expect([...all].sort()).toEqual(all);
  const events = await eventsOf(async () => {
    await kmsKeys();
    await kmsKey(all[0] ?? '');
  });
  expect(events).toEqual([]);
  const list = (args: string) =>
    app.raw(`{ kmsKeys(${args}) { nodes { identity } pageInfo { endCursor } } }`, {}, caller);
  const first = (await list('first: 1')).data['kmsKeys'] as { pageInfo: { endCursor: string } };
  expect((await list(`first: 5, after: "${first.pageInfo.endCursor}"`)).data['kmsKeys']).toMatchObject({
    nodes: all.slice(1).map((identity) => ({ identity })),
  });
  expect((await list('last: 1')).data['kmsKeys']).toMatchObject({ nodes: [{ identity: all[2] }] });
  for (const [args, field] of [
    ['first: 0', 'first'],
    ['first: 101', 'first'],
    ['first: 1, last: 1', 'last'],
    ['after: "MARKER"', 'after'],
  ] as const) {
    expect((await list(args)).errors?.[0]?.extensions).toMatchObject({
      code: 'BAD_USER_INPUT',
      field: [field],
    });
  }
});

test('a creation is one event, a refused one too', async () => {
  let answer: Awaited<ReturnType<typeof createKey>> | undefined;
  const events = await eventsOf(async () => {
    answer = await createKey();
  });
  expect(events).toMatchObject([
    { action: 'kms.createKey', outcome: 'SUCCESS', resource: answer && identityOf(answer) },
  ]);
  expect(await eventsOf(() => createKey({}, { roles: [] }))).toMatchObject([
    { action: 'kms.createKey', outcome: 'DENIED', details: { permission: 'KMS_KEY_CREATE' } },
  ]);
  expect(await eventsOf(() => createKey({ name: 'default' }))).toMatchObject([
    { action: 'kms.createKey', outcome: 'FAILED', error_code: 'ALREADY_EXISTS' },
  ]);
});
