import { afterAll, beforeAll, expect, test } from 'vitest';
import { data, type TestApp, testApp } from '../support/test-app.ts';
import * as doc from './documents.ts';

let app: TestApp;
let kmsKeyIdentity: string;

beforeAll(async () => {
  app = await testApp();
  const { data: answer } = await app.gql(doc.KMS_KEYS, {});
  const key = answer.kmsKeys?.nodes[0];
  expect(key).toMatchObject({ name: 'default', region: 'local-1', status: 'ACTIVE', latestVersion: '1' });
  expect(key?.identity).toMatch(/^kms-[0-9a-v]{20}$/);
  kmsKeyIdentity = key?.identity ?? '';
});
afterAll(() => app.close());

const PASSWORD = '/app/production/db/password';
const CREDENTIALS = '/app/production/db/credentials';

const get = async (path: string, version?: number, keys?: string[]) =>
  (await app.gql(doc.GET, { input: { path, version, keys } })).data.getSecretValue;

test('a new user stores, versions, reads, destroys, rolls back, deletes and restores, and a restart loses nothing', async () => {
  const created = await app.gql(doc.CREATE, {
    input: { path: PASSWORD, kmsKeyIdentity, value: { generateSecret: { password: { length: 24 } } } },
  });
  expect(created.data.createSecret).toMatchObject({
    __typename: 'SecretVersionPayload',
    secret: { path: PASSWORD, currentVersion: 1, objectVersion: 1, lastAccessedAt: null },
    version: { number: 1, stage: 'CURRENT', status: 'ACTIVE', valueFormat: 'STRING' },
  });
  const secretKeyValues = [
    { key: 'username', value: data('app') },
    { key: 'password', value: data('s3cret') },
  ];
  const pair = await app.gql(doc.CREATE, {
    input: { path: CREDENTIALS, kmsKeyIdentity, value: { secretKeyValues } },
  });
  expect(pair.data.createSecret).toMatchObject({ version: { valueFormat: 'KEY_VALUE' } });

  for (const [number, text] of [
    [2, 'second'],
    [3, 'third'],
  ] as const) {
    const put = await app.gql(doc.PUT, { input: { path: PASSWORD, value: { secretString: data(text) } } });
    expect(put.data.putSecretValue).toMatchObject({ version: { number, stage: 'CURRENT' } });
  }

  expect(await get(PASSWORD)).toMatchObject({
    version: 3,
    secretString: data('third'),
    kmsKeyIdentity,
    kmsKeyVersion: '1',
  });
  expect(await get(PASSWORD, 2)).toMatchObject({ version: 2, secretString: data('second') });
  const generated = await get(PASSWORD, 1);
  expect(generated).toMatchObject({ __typename: 'SecretValue' });
  if (generated?.__typename === 'SecretValue') {
    expect(Buffer.from(String(generated.secretString), 'base64').toString()).toMatch(/^[!-~]{24}$/);
  }
  expect(await get(CREDENTIALS)).toMatchObject({ secretString: null, secretKeyValues });
  expect(await get(CREDENTIALS, undefined, ['password'])).toMatchObject({
    secretKeyValues: [secretKeyValues[1]],
  });

  const destroyed = await app.gql(doc.DESTROY, { input: { path: PASSWORD, version: 3 } });
  expect(destroyed.data.destroySecretVersion).toMatchObject({
    secret: { currentVersion: 2 },
    version: { number: 3, status: 'DESTROYED', stage: null },
  });
  expect(await get(PASSWORD)).toMatchObject({ version: 2, secretString: data('second') });
  expect(await get(PASSWORD, 3)).toMatchObject({ code: 'VERSION_DESTROYED' });

  const rolled = await app.gql(doc.ROLLBACK, { input: { path: PASSWORD, toVersion: 2 } });
  expect(rolled.data.rollbackSecret).toMatchObject({ version: { number: 4, stage: 'CURRENT' } });
  expect(await get(PASSWORD)).toMatchObject({ version: 4, secretString: data('second') });

  const deleted = await app.gql(doc.DELETE, { input: { path: PASSWORD } });
  const payload = deleted.data.deleteSecret;
  if (payload?.__typename !== 'SecretPayload') throw new Error('not deleted');
  const id = payload.secret?.id ?? '';
  expect(await get(PASSWORD)).toMatchObject({ code: 'NOT_FOUND' });
  expect((await app.gql(doc.DELETED, {})).data.deletedSecrets?.nodes).toEqual([{ id, path: PASSWORD }]);
  const again = await app.gql(doc.CREATE, {
    input: { path: PASSWORD, kmsKeyIdentity, value: { secretString: data('anew') } },
  });
  expect(again.data.createSecret).toMatchObject({ version: { number: 1 } });
  expect((await app.gql(doc.RESTORE, { input: { id } })).data.restoreSecret).toMatchObject({
    code: 'ALREADY_EXISTS',
  });
  const elsewhere = `${PASSWORD}-old`;
  expect((await app.gql(doc.RESTORE, { input: { id, path: elsewhere } })).data.restoreSecret).toMatchObject({
    secret: { id, path: elsewhere, deletedAt: null },
  });
  expect(await get(elsewhere)).toMatchObject({ version: 4, secretString: data('second') });
  expect(await get(PASSWORD)).toMatchObject({ version: 1, secretString: data('anew') });

  app = await app.restart();
  expect(await get(elsewhere, 1)).toEqual({ ...generated, path: elsewhere });
  expect(await get(elsewhere)).toMatchObject({ version: 4, secretString: data('second') });
  expect(await get(CREDENTIALS)).toMatchObject({ secretKeyValues });
});

test('lists and the tree are paged in both directions', async () => {
  for (const path of [
    '/tree/b',
    '/tree/b/c',
    '/tree/a-b',
    '/tree/a',
    '/tree/a/z',
    '/tree/a/y/x',
    '/tree/c',
  ]) {
    await app.gql(doc.CREATE, { input: { path, kmsKeyIdentity, value: { secretString: data('v') } } });
  }
  const filter = { pathPrefix: '/tree' };
  const all = ['/tree/a', '/tree/a/y/x', '/tree/a/z', '/tree/a-b', '/tree/b', '/tree/b/c', '/tree/c'];
  const forward: string[] = [];
  for (let after: string | undefined; ;) {
    const { secrets } = (await app.gql(doc.SECRETS, { filter, first: 3, after })).data;
    expect(secrets?.totalCount).toBe(7);
    forward.push(...(secrets?.nodes.map(({ path }) => path) ?? []));
    if (!secrets?.pageInfo.hasNextPage) break;
    after = secrets.pageInfo.endCursor ?? undefined;
  }
  expect(forward).toEqual(all);
  const backward: string[] = [];
  for (let before: string | undefined; ;) {
    const { secrets } = (await app.gql(doc.SECRETS, { filter, last: 3, before })).data;
    backward.unshift(...(secrets?.nodes.map(({ path }) => path) ?? []));
    if (!secrets?.pageInfo.hasPreviousPage) break;
    before = secrets.pageInfo.startCursor ?? undefined;
  }
  expect(backward).toEqual(all);

  const children = ['Secret a', 'Folder a', 'Secret a-b', 'Secret b', 'Folder b', 'Secret c'];
  const seen: string[] = [];
  for (let after: string | undefined; ;) {
    const { folder } = (await app.gql(doc.FOLDER, { path: '/tree', first: 2, after })).data;
    seen.push(...(folder?.children.nodes.map(({ __typename, name }) => `${__typename} ${name}`) ?? []));
    if (!folder?.children.pageInfo.hasNextPage) break;
    after = folder.children.pageInfo.endCursor ?? undefined;
  }
  expect(seen).toEqual(children);
  const back: string[] = [];
  for (let before: string | undefined; ;) {
    const { folder } = (await app.gql(doc.FOLDER, { path: '/tree', last: 2, before })).data;
    back.unshift(...(folder?.children.nodes.map(({ __typename, name }) => `${__typename} ${name}`) ?? []));
    if (!folder?.children.pageInfo.hasPreviousPage) break;
    before = folder.children.pageInfo.startCursor ?? undefined;
  }
  expect(back).toEqual(children);
});

test('a hundred reads in one request keep their order, and three that fail fail each in its own way', async () => {
  const paths = Array.from({ length: 97 }, (_, index) => `/many/s${index}`);
  await Promise.all(
    paths.map((path) =>
      app.gql(doc.CREATE, {
        input: { path, kmsKeyIdentity, value: { secretString: data(`value of ${path}`) } },
      }),
    ),
  );
  await app.gql(doc.DESTROY, { input: { path: '/many/s0', version: 1 } });
  const secrets = [
    { path: '/many/none' },
    ...paths.map((path) => ({ path })),
    { path: '/many/../s1' },
    { path: '/many/s0', version: 1 },
  ];
  const { data: answer } = await app.gql(doc.GET_MANY, { input: { secrets } });
  if (answer.getSecretValues?.__typename !== 'GetSecretValuesPayload') throw new Error('not read');
  const { results } = answer.getSecretValues;
  expect(results).toHaveLength(100);
  expect(results[0]).toMatchObject({ code: 'NOT_FOUND' });
  expect(results[1]).toMatchObject({ code: 'NOT_FOUND' });
  expect(results[98]).toMatchObject({ code: 'INVALID_INPUT', field: ['input', 'secrets', '98', 'path'] });
  expect(results[99]).toMatchObject({ code: 'VERSION_DESTROYED' });
  expect(results.slice(2, 98)).toEqual(
    paths.slice(1).map((path) => ({
      __typename: 'SecretValue',
      path,
      version: 1,
      secretString: data(`value of ${path}`),
    })),
  );
});
