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

const folder = async (path: string, caller?: TestCaller) =>
  (await app.gql(doc.FOLDER, { path }, caller)).data.folder;
const names = async (path: string) =>
  (await folder(path))?.children.nodes.map(({ __typename, name }) => `${__typename} ${name}`);
const root = () => freshPath('x').slice(0, -2);

test('a folder of which the caller may see nothing answers exactly like one that does not exist', async () => {
  const path = root();
  await create(`${path}/a`);
  const { text } = await app.gql(doc.FOLDER, { path: root() });
  expect(JSON.parse(text)).toEqual({ data: { folder: null } });
  for (const caller of STRANGERS) expect((await app.gql(doc.FOLDER, { path }, caller)).text).toBe(text);
});

test('the root always exists, empty for whoever may see nothing', async () => {
  await create();
  for (const caller of STRANGERS) {
    expect(await folder('/', caller)).toMatchObject({ path: '/', parent: null, children: { nodes: [] } });
  }
});

test('a bad path or page is refused by its field, never quoted', async () => {
  for (const path of ['MARKER', '/MARKER/', '//', '']) {
    const answer = await app.gql(doc.FOLDER, { path });
    expect(answer.errors?.[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', field: ['path'] });
    expect(answer.text).not.toContain('MARKER');
  }
  for (const [args, field] of [
    [{ first: 0 }, 'first'],
    [{ first: 101 }, 'first'],
    [{ first: 1, last: 1 }, 'last'],
    [{ after: 'MARKER' }, 'after'],
  ] as const) {
    const answer = await app.raw(doc.FOLDER, { path: '/', ...args });
    expect(answer.errors?.[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', field: [field] });
  }
});

test('a cursor of another folder is refused', async () => {
  const path = root();
  await create(`${path}/a/b`);
  const after = (await folder(path))?.children.pageInfo.endCursor;
  const { errors } = await app.raw(doc.FOLDER, { path: `${path}/a`, after });
  expect(errors?.[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', field: ['after'] });
});

test('it exists while it holds something and is gone with the last secret', async () => {
  const path = root();
  await create(path);
  expect(await folder(path)).toBeNull();
  await create(`${path}/a/b`);
  expect(await folder(`${path}/a`)).toMatchObject({ path: `${path}/a`, parent: { path } });
  await app.raw(doc.DELETE, { input: { path: `${path}/a/b` } });
  expect(await folder(path)).toBeNull();
});

test('children are one level, bytewise, a secret before the folder of its name', async () => {
  const path = root();
  for (const name of ['a', 'a/x', 'a/y/z', 'a+b', 'a-b/c', 'a.b', 'B', '_', '0'])
    await create(`${path}/${name}`);
  const expected = [
    'Secret 0',
    'Secret B',
    'Secret _',
    'Secret a',
    'Folder a',
    'Secret a+b',
    'Folder a-b',
    'Secret a.b',
  ];
  expect(await names(path)).toEqual(expected);
  const walked: string[] = [];
  for (let before: string | undefined; ;) {
    const found = (await app.gql(doc.FOLDER, { path, last: 1, before })).data.folder?.children;
    walked.unshift(...(found?.nodes.map(({ __typename, name }) => `${__typename} ${name}`) ?? []));
    if (!found?.pageInfo.hasPreviousPage) break;
    before = found.pageInfo.startCursor ?? undefined;
  }
  expect(walked).toEqual(expected);
});
