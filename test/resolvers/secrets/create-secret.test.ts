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

async function create(path = freshPath(), text = 'first', caller?: TestCaller) {
  const value = { secretString: data(text) };
  const answer = await app.gql(doc.CREATE, { input: { path, kmsKeyIdentity, value } }, caller);
  const created = answer.data.createSecret;
  if (created?.__typename !== 'SecretVersionPayload') throw new Error(answer.text);
  return { path, id: created.secret?.id ?? '' };
}

const get = async (path: string, version?: number) =>
  (await app.gql(doc.GET, { input: { path, version } })).data.getSecretValue;

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

const tryCreate = (input: Record<string, unknown> & { path?: string }, caller?: TestCaller) =>
  app.raw(
    doc.CREATE,
    { input: { path: freshPath(), kmsKeyIdentity, value: { secretString: data('first') }, ...input } },
    caller,
  );

test('whether the caller may create is decided before anything is looked for', async () => {
  const { path } = await create();
  const taken = await tryCreate({ path }, READER);
  expect(taken.data['createSecret']).toMatchObject({ code: 'ACCESS_DENIED', permission: 'SECRET_CREATE' });
  expect((await tryCreate({}, READER)).text).toBe(taken.text);
  expect((await tryCreate({ kmsKeyIdentity: 'kms-none' }, READER)).text).toBe(taken.text);
  expect((await tryCreate({ path }, { roles: [] })).text).toBe(taken.text);
});

test('a KMS key that is unknown, hidden, or of another scope is missing', async () => {
  const { text } = await tryCreate({ kmsKeyIdentity: `kms-${'0'.repeat(20)}` });
  expect(text).toContain('NOT_FOUND');
  expect((await tryCreate({}, { organisation: 'globex' })).text).toBe(text);
  expect((await tryCreate({}, { project: 'payments' })).text).toBe(text);
  expect((await tryCreate({ kmsKeyIdentity: '' })).text).toBe(text);
  expect((await tryCreate({ kmsKeyIdentity: '%' })).text).toBe(text);
});

test('an identity with a NUL is no KMS key and no server error', async () => {
  const answer = await tryCreate({ kmsKeyIdentity: 'kms-\0' });
  expect(answer.errors).toBeUndefined();
});

test('a taken path is refused in its scope and free in every other', async () => {
  const { path } = await create();
  expect((await tryCreate({ path })).data['createSecret']).toMatchObject({
    ...{ __typename: 'AlreadyExistsError', code: 'ALREADY_EXISTS' },
  });
  expect((await tryCreate({ path: `${path}/below` })).data['createSecret']).toMatchObject({
    version: { number: 1 },
  });
  expect((await tryCreate({ path: path.toUpperCase() })).data['createSecret']).toMatchObject({
    version: { number: 1 },
  });
});

test.each([
  ['path', { path: '/MARKER//x' }, ['path']],
  ['path that is the root', { path: '/' }, ['path']],
  ['region', { region: 'MARKER' }, ['region']],
  ['description of 1,025 characters', { description: 'MARKER'.padEnd(1_025, 'x') }, ['description']],
  ['description with a NUL', { description: 'MARKER\0' }, ['description']],
  ['description of half a pair', { description: 'MARKER\ud800' }, ['description']],
  [
    '65th label',
    { labels: Array.from({ length: 65 }, (_, n) => ({ key: `MARKER${n}`, value: '' })) },
    ['labels'],
  ],
  ['label without a name', { labels: [{ key: '', value: 'MARKER' }] }, ['labels', '0', 'key']],
  [
    'label of a long name',
    { labels: [{ key: 'MARKER'.padEnd(129, 'x'), value: '' }] },
    ['labels', '0', 'key'],
  ],
  [
    'label of a long value',
    { labels: [{ key: 'a', value: 'MARKER'.padEnd(257, 'x') }] },
    ['labels', '0', 'value'],
  ],
  [
    'label given twice',
    {
      labels: [
        { key: 'MARKER', value: '1' },
        { key: 'MARKER', value: '2' },
      ],
    },
    ['labels', '1', 'key'],
  ],
  [
    'annotation of over 16 KiB',
    { annotations: [{ key: 'a', value: 'MARKER'.padEnd(16_384, 'x') }] },
    ['annotations'],
  ],
  ['access policy of nothing', { accessPolicy: {} }, ['accessPolicy']],
  ['idempotency key', { idempotencyKey: 'MARKER'.padEnd(129, 'x') }, ['idempotencyKey']],
  ['value', { value: { secretString: 'MARKER=' } }, ['value', 'secretString']],
])('a bad %s is refused by its field, never quoted and never recorded', async (_, input, field) => {
  const events = await eventsOf(async () => {
    const answer = await tryCreate(input);
    expect(answer.data['createSecret']).toMatchObject({ code: 'INVALID_INPUT', field: ['input', ...field] });
    expect(answer.text).not.toContain('MARKER');
  });
  expect(events).toEqual([]);
});

test('a secret at each limit is taken and comes back as it was', async () => {
  const path = `/${Array.from({ length: 31 }, () => 'abcdefghijklmno').join('/')}`.padEnd(512, 'x');
  const labels = Array.from({ length: 64 }, (_, n) => ({
    key: `${n}`.padEnd(128, 'k'),
    value: 'v'.repeat(256),
  }));
  const annotations = [{ key: 'a', value: 'ö'.repeat(8_191) }];
  const description = '🔑'.repeat(512);
  const value = { secretString: Buffer.alloc(65_536, 7).toString('base64') };
  const answer = await tryCreate({ path, labels, annotations, description, value });
  expect(answer.data['createSecret']).toMatchObject({ version: { number: 1 } });
  const { secret } = (await app.gql(doc.SECRET, { path })).data;
  expect(secret).toMatchObject({ path, description, annotations });
  expect(secret?.labels).toHaveLength(64);
  expect(secret?.labels).toEqual(expect.arrayContaining(labels));
  expect(await get(path)).toMatchObject(value);
});

test('a disabled KMS key seals nothing and leaves no secret behind', async () => {
  const path = freshPath();
  const answer = await whileDisabled(() => tryCreate({ path }));
  expect(answer.data['createSecret']).toMatchObject({ code: 'KEY_UNAVAILABLE' });
  expect((await app.gql(doc.SECRET, { path })).data.secret).toBeNull();
});

test('an idempotency key gives the same secret to the same input and refuses another', async () => {
  const path = freshPath();
  const first = await tryCreate({ path, idempotencyKey: 'create' });
  expect(first.data['createSecret']).toMatchObject({ version: { number: 1 } });
  expect((await tryCreate({ path, idempotencyKey: 'create' })).text).toBe(first.text);
  expect(
    (await tryCreate({ path, idempotencyKey: 'create', description: 'other' })).data['createSecret'],
  ).toMatchObject({
    code: 'IDEMPOTENCY_KEY_REUSED',
    field: ['input', 'idempotencyKey'],
  });
  expect((await tryCreate({ path })).data['createSecret']).toMatchObject({ code: 'ALREADY_EXISTS' });
});

test('concurrent twins with one idempotency key make one secret (CVE-2025-6014)', async () => {
  const path = freshPath();
  const answers = await Promise.all(
    Array.from({ length: 8 }, () => tryCreate({ path, idempotencyKey: 'create-twins' })),
  );
  expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
  expect(answers[0]?.data['createSecret']).toMatchObject({ secret: { path }, version: { number: 1 } });
});

test('a failed create is not remembered under its idempotency key', async () => {
  const { path } = await create();
  expect((await tryCreate({ path, idempotencyKey: 'later' })).text).toContain('ALREADY_EXISTS');
  expect((await tryCreate({ idempotencyKey: 'later' })).data['createSecret']).toMatchObject({
    version: { number: 1 },
  });
});

test('a create is one event and the encryption that it caused another; a refusal is one', async () => {
  const path = freshPath();
  const made = await eventsOf(() => create(path, 'VALUE-IN-NO-EVENT'));
  expect(made).toMatchObject([
    { action: 'secret.create', outcome: 'SUCCESS', resource: path, version: 1, caused_by: null },
    { action: 'kms.encrypt', outcome: 'SUCCESS', resource: kmsKeyIdentity, version: 1, caused_by: 1 },
  ]);
  expect(made[1]?.request_id).toBe(made[0]?.request_id);
  expect(await eventsOf(() => tryCreate({ path }))).toMatchObject([
    { action: 'secret.create', outcome: 'FAILED', error_code: 'ALREADY_EXISTS', resource: path },
  ]);
  expect(await eventsOf(() => tryCreate({ path }, READER))).toMatchObject([
    { action: 'secret.create', outcome: 'DENIED', details: { permission: 'SECRET_CREATE' } },
  ]);
});
