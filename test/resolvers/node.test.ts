import { afterAll, beforeAll, expect, test } from 'vitest';
import * as doc from '../e2e/documents.ts';
import { data, freshPath, type TestApp, type TestCaller, testApp } from '../support/test-app.ts';

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

const node = (id: string, caller?: TestCaller) =>
  app.raw('query ($id: ID!) { node(id: $id) { __typename id } }', { id }, caller);
const idOf = (text: string) => Buffer.from(text).toString('base64url');

test('what the caller may not see answers exactly like what does not exist, of every type', async () => {
  const { path, id } = await create();
  const answer = await app.raw(
    `query ($path: SecretPath!, $folder: FolderPath!, $key: String!) {
      secret(path: $path) { version { id } } folder(path: $folder) { id } kmsKey(identity: $key) { id } }`,
    { path, folder: path.slice(0, path.lastIndexOf('/')), key: kmsKeyIdentity },
  );
  const found = answer.data as {
    secret: { version: { id: string } };
    folder: { id: string };
    kmsKey: { id: string };
  };
  const { text } = await node(idOf(`Secret:local-1:${'0'.repeat(8)}-0000-4000-8000-${'0'.repeat(12)}`));
  expect(JSON.parse(text)).toEqual({ data: { node: null } });
  for (const [typename, seen] of [
    ['Secret', id],
    ['SecretVersion', found.secret.version.id],
    ['Folder', found.folder.id],
    ['KmsKey', found.kmsKey.id],
  ] as const) {
    expect((await node(seen)).data['node']).toEqual({ __typename: typename, id: seen });
    for (const caller of STRANGERS) {
      if (typename === 'KmsKey' && caller.roles?.includes('kms:ReadAccess')) continue;
      expect([typename, (await node(seen, caller)).text]).toEqual([typename, text]);
    }
  }
});

test.each([
  ['empty', ''],
  ['no base64url', 'MARKER!'],
  ['padded', `${idOf('Folder:local-1:/')}=`],
  ['of an unknown type', idOf('MARKER:local-1:/')],
  ['of a prototype', idOf('__proto__:local-1:/')],
  ['of an unknown region', idOf('Folder:MARKER:/')],
  ['of no uuid', idOf("Secret:local-1:' OR 1=1")],
  ['of version 0', idOf('SecretVersion:local-1:00000000-0000-4000-8000-000000000000/0')],
  ['of a path with ..', idOf('Folder:local-1:/MARKER/..')],
])('an id that is %s is refused by its field, never quoted', async (_, id) => {
  const answer = await node(id);
  expect(answer.errors?.[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', field: ['id'] });
  expect(answer.text).not.toContain('MARKER');
});

test('an id with a NUL or a number too great for a version is missing and no server error', async () => {
  const { id } = await create();
  const uuid = Buffer.from(id, 'base64url').toString().split(':')[2] ?? '';
  for (const text of [
    'KmsKey:local-1:\0',
    `SecretVersion:local-1:${uuid}/9999999999`,
    `SecretVersion:local-1:${uuid}/9`,
  ]) {
    const answer = await node(idOf(text));
    expect(answer.errors?.map(({ extensions }) => extensions['code']) ?? []).not.toContain(
      'INTERNAL_SERVER_ERROR',
    );
    expect(answer.data['node'] ?? null).toBeNull();
  }
});

test('nodes keep the order of their ids, with null for what is missing, and are at most 100', async () => {
  const [a, b] = [await create(), await create()];
  const missing = idOf(`Secret:local-1:${'0'.repeat(8)}-0000-4000-8000-${'0'.repeat(12)}`);
  const ids = [b.id, missing, a.id, b.id];
  const nodes = (wanted: readonly string[]) =>
    app.raw('query ($ids: [ID!]!) { nodes(ids: $ids) { id } }', { ids: wanted });
  expect((await nodes(ids)).data['nodes']).toEqual([{ id: b.id }, null, { id: a.id }, { id: b.id }]);
  expect((await nodes(Array.from({ length: 101 }, () => a.id))).errors?.[0]?.extensions).toMatchObject({
    ...{ code: 'BAD_USER_INPUT', field: ['ids'] },
  });
});
