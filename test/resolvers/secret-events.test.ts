import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as doc from '../e2e/documents.ts';
import { follow, type FollowOptions } from '../support/follow.ts';
import { ADMIN, data, freshPath, type TestApp, testApp, type TestCaller } from '../support/test-app.ts';

let app: TestApp;
let kmsKeyIdentity: string;

beforeAll(async () => {
  app = await testApp();
  kmsKeyIdentity = (await app.gql(doc.KMS_KEYS, {})).data.kmsKeys?.nodes[0]?.identity ?? '';
});
afterAll(() => app.close());

const followed = async (variables: FollowOptions['variables'] = {}, caller: TestCaller = ADMIN) =>
  follow({ url: app.url, token: await app.token(caller), variables });
const create = async (path: string, caller?: TestCaller) => {
  const value = { secretString: data('a value') };
  const { createSecret } = (await app.gql(doc.CREATE, { input: { path, kmsKeyIdentity, value } }, caller))
    .data;
  return createSecret?.__typename === 'SecretVersionPayload' ? (createSecret.secret?.id ?? '') : '';
};
const put = (path: string, text = 'another value') =>
  app.gql(doc.PUT, { input: { path, value: { secretString: data(text) } } });

describe('smoke', () => {
  test('an event', async () => {
    const stream = await followed();
    const path = freshPath();
    await create(path);
    await put(path);
    expect(await stream.have(2)).toMatchObject([
      { kind: 'CREATED', path, version: 1 },
      { kind: 'VALUE_PUT', path, version: 2 },
    ]);
    stream.drop();
  });
});
