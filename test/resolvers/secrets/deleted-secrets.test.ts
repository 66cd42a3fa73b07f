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

const listed = async (caller?: TestCaller) =>
  (await app.gql(doc.DELETED, {}, caller)).data.deletedSecrets?.nodes.map(({ id }) => id) ?? [];

test('whoever may not list sees none, and other scopes none of these', async () => {
  const { path } = await create();
  await app.raw(doc.DELETE, { input: { path } });
  for (const caller of STRANGERS) expect(await listed(caller)).toEqual([]);
});

test('a page out of bounds and a cursor of another list are refused by their fields', async () => {
  await create();
  const live = (await app.gql(doc.SECRETS, {})).data.secrets?.pageInfo.endCursor;
  for (const [args, field] of [
    ['first: 0', 'first'],
    ['last: 101', 'last'],
    ['first: 1, last: 1', 'last'],
    [`after: "${live ?? ''}"`, 'after'],
  ] as const) {
    const { errors } = await app.raw(`{ deletedSecrets(${args}) { nodes { id } } }`);
    expect(errors?.[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', field: [field] });
  }
});

test('the latest deleted comes first, live, restored and purged ones not at all', async () => {
  const all = [await create(), await create(), await create(), await create()];
  try {
    for (const [n, { path }] of all.entries()) {
      app.clock.now = new Date(Date.now() + n * 1_000 + 1_000);
      if (n < 3) await app.raw(doc.DELETE, { input: { path } });
    }
    const ids = all.map(({ id }) => id);
    expect((await listed()).slice(0, 3)).toEqual([ids[2], ids[1], ids[0]]);
    await app.gql(doc.RESTORE, { input: { id: ids[1] ?? '' } });
    await app.gql(doc.PURGE, { input: { id: ids[2] ?? '' } });
    expect((await listed())[0]).toBe(ids[0]);
    for (const id of [ids[1], ids[2], ids[3]]) expect(await listed()).not.toContain(id);
  } finally {
    app.clock.now = null;
  }
});

test('two generations of one path wait side by side', async () => {
  const first = await create();
  await app.raw(doc.DELETE, { input: { path: first.path } });
  const second = await create(first.path);
  await app.raw(doc.DELETE, { input: { path: first.path } });
  expect(await listed()).toEqual(expect.arrayContaining([first.id, second.id]));
});
