import { randomUUID } from 'node:crypto';
import type { VariablesOf } from 'gql.tada';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { KEY_CHANGES, type KeyChange, kmsKeysOf } from '../support/kms-keys.ts';
import { data, freshPath, type TestApp, type TestCaller, testApp } from '../support/test-app.ts';
import * as doc from './documents.ts';
import { PUT_POLICY } from './policy-documents.ts';

/** Rights that the built-in roles give together only: each is taken away by itself. */
type Statement = VariablesOf<typeof PUT_POLICY>['input']['statements'][number];
type Permission = Statement['permissions'][number];
type Right = readonly [Permission, resource: string];

let app: TestApp;
let keys: ReturnType<typeof kmsKeysOf>;
let kmsKeyIdentity: string;

beforeAll(async () => {
  app = await testApp();
  keys = kmsKeysOf(app);
  kmsKeyIdentity = await keys.created();
});
afterAll(() => app.close());

/** Somebody with just these rights. */
async function holding(...rights: readonly Right[]): Promise<TestCaller> {
  const role = `role-${randomUUID()}`;
  const statements = rights.map(([permission, resource], n): Statement => ({
    ...{ name: `s${n}`, effect: 'ALLOW', permissions: [permission], resources: [resource] },
  }));
  const input = { name: role, statements, subjects: [{ kind: 'ROLE' as const, value: role }] };
  const put = (await app.gql(PUT_POLICY, { input })).data.putPolicy;
  expect(put).toMatchObject({ __typename: 'PolicyPayload' });
  return { roles: [role], subject: role };
}

const without = (rights: readonly Right[], index: number) => rights.filter((_, n) => n !== index);
const value = (text: string) => ({ secretString: data(text) });
async function create(path = freshPath(), more: Record<string, unknown> = {}) {
  const input = { path, kmsKeyIdentity, value: value('first'), ...more };
  const answer = await app.raw(doc.CREATE, { input });
  return { path, id: (answer.data['createSecret'] as { secret: { id: string } }).secret.id };
}
const read = async (path: string, caller?: TestCaller) =>
  (await app.gql(doc.GET, { input: { path } }, caller)).data.getSecretValue;
const USE: Right = ['KMS_KEY_USE', 'kms-key:*'];

/** What seals or opens a value, as the caller, and the right on the path that it needs besides KMS_KEY_USE. */
const USES: Readonly<
  Record<string, readonly [Permission, (path: string, by: TestCaller) => Promise<unknown>]>
> = {
  getSecretValue: ['SECRET_GET_VALUE', read],
  getSecretValues: [
    'SECRET_GET_VALUE',
    async (path, by) => {
      const many = (await app.gql(doc.GET_MANY, { input: { secrets: [{ path }] } }, by)).data.getSecretValues;
      return many && 'results' in many ? many.results[0] : many;
    },
  ],
  putSecretValue: [
    'SECRET_PUT_VALUE',
    async (path, by) =>
      (await app.gql(doc.PUT, { input: { path, value: value('second') } }, by)).data.putSecretValue,
  ],
  rollbackSecret: [
    'SECRET_PUT_VALUE',
    async (path, by) =>
      (await app.gql(doc.ROLLBACK, { input: { path, toVersion: 1 } }, by)).data.rollbackSecret,
  ],
  createSecret: [
    'SECRET_CREATE',
    async (path, by) =>
      (await app.gql(doc.CREATE, { input: { path: `${path}/new`, kmsKeyIdentity, value: value('new') } }, by))
        .data.createSecret,
  ],
};

describe.each(Object.entries(USES))('%s', (_, [permission, use]) => {
  test(`needs KMS_KEY_USE on the key beside ${permission}, and neither is enough alone`, async () => {
    const { path } = await create();
    const other = await keys.created();
    const below = permission === 'SECRET_CREATE' ? `secret:${path}/**` : `secret:${path}`;
    const seen: readonly Right[] = [
      ['SECRET_READ', `secret:${path}`],
      ['SECRET_READ', `secret:${path}/**`],
      ['KMS_KEY_READ', 'kms-key:*'],
    ];
    const denied = (right: Permission) => ({ code: 'ACCESS_DENIED', permission: right });
    for (const key of [null, other]) {
      const keyRight: readonly Right[] = key === null ? [] : [['KMS_KEY_USE', `kms-key:${key}`]];
      const keyless = await holding(...seen, [permission, below], ...keyRight);
      expect(await use(path, keyless)).toMatchObject(denied('KMS_KEY_USE'));
    }
    expect(await use(path, await holding(...seen, USE))).toMatchObject(denied(permission));
    expect(await read(path)).toMatchObject({ version: 1, secretString: data('first') });
    const able = await holding(...seen, [permission, below], ['KMS_KEY_USE', `kms-key:${kmsKeyIdentity}`]);
    expect(await use(path, able)).not.toHaveProperty('code');
  });
});

test('to whoever may read the value and not the metadata, a key that refuses is as a secret that is not there', async () => {
  const { path } = await create();
  const caller = await holding(['SECRET_GET_VALUE', `secret:${path}`], ['SECRET_GET_VALUE', 'secret:/none']);
  const [there, absent] = [await read(path, caller), await read('/none', caller)];
  expect(there).toMatchObject({ code: 'NOT_FOUND' });
  expect(there).toEqual(absent);
  const able = await holding(['SECRET_GET_VALUE', `secret:${path}`], USE);
  expect(await read(path, able)).toMatchObject({ secretString: data('first') });
});

test('to delete with a window of 0 is to purge: SECRET_DELETE alone is refused, and nothing is deleted', async () => {
  const { path, id } = await create();
  const on = `secret:${path}`;
  const remove = async (recoveryWindowDays: number, caller: TestCaller) =>
    (await app.gql(doc.DELETE, { input: { path, recoveryWindowDays } }, caller)).data.deleteSecret;
  const deleter = await holding(['SECRET_READ', on], ['SECRET_DELETE', on]);
  const purger = await holding(['SECRET_READ', on], ['SECRET_PURGE', on]);
  expect(await remove(0, deleter)).toMatchObject({ code: 'ACCESS_DENIED', permission: 'SECRET_PURGE' });
  expect(await remove(0, purger)).toMatchObject({ code: 'ACCESS_DENIED', permission: 'SECRET_DELETE' });
  expect(await read(path)).toMatchObject({ secretString: data('first') });
  expect(await remove(7, purger)).toMatchObject({ code: 'ACCESS_DENIED', permission: 'SECRET_DELETE' });
  expect(await remove(7, deleter)).toMatchObject({ __typename: 'SecretPayload', secret: { id } });
  const purge = async (caller: TestCaller) =>
    (await app.gql(doc.PURGE, { input: { id } }, caller)).data.purgeSecret;
  expect(await purge(deleter)).toMatchObject({ code: 'ACCESS_DENIED', permission: 'SECRET_PURGE' });
  const restore = await app.gql(doc.RESTORE, { input: { id } }, purger);
  expect(restore.data.restoreSecret).toMatchObject({ code: 'ACCESS_DENIED', permission: 'SECRET_DELETE' });
  expect(await purge(purger)).toMatchObject({ __typename: 'PurgeSecretPayload' });
});

describe('a move by restore', () => {
  /** All that it takes; who may not read a path's metadata is told only that there is nothing. */
  const RIGHTS = (from: string, to: string): readonly Right[] => [
    ['SECRET_DELETE', `secret:${from}`],
    ['SECRET_GET_VALUE', `secret:${from}`],
    ['SECRET_CREATE', `secret:${to}`],
    ['KMS_KEY_USE', `kms-key:${kmsKeyIdentity}`],
  ];
  const restore = async (id: string, path: string, caller?: TestCaller) =>
    (await app.gql(doc.RESTORE, { input: { id, path } }, caller)).data.restoreSecret;
  async function createDeleted(more?: Record<string, unknown>) {
    const made = await create(freshPath(), more);
    await app.gql(doc.DELETE, { input: { path: made.path } });
    return made;
  }

  test.each(RIGHTS('', '').map(([right], index) => [right, index] as const))(
    'is refused for lack of %s alone, where it is needed',
    async (permission, index) => {
      const { id, path } = await createDeleted();
      const to = freshPath();
      const seen: readonly Right[] = [
        ['SECRET_READ', `secret:${path}`],
        ['SECRET_READ', `secret:${to}`],
      ];
      const rights = RIGHTS(path, to);
      const lacking = await holding(...seen, ...without(rights, index));
      expect(await restore(id, to, lacking)).toMatchObject({ code: 'ACCESS_DENIED', permission });
      // A right on the wrong end of the move is none.
      const wrong = rights.map(([right, on], n): Right => {
        if (n !== index || on.startsWith('kms-key:')) return [right, on];
        return [right, on.endsWith(to) ? `secret:${path}` : `secret:${to}`];
      });
      if (permission !== 'KMS_KEY_USE') {
        expect(await restore(id, to, await holding(...seen, ...wrong))).toMatchObject({
          ...{ code: 'ACCESS_DENIED', permission },
        });
      }
      expect(await read(to)).toMatchObject({ code: 'NOT_FOUND' });
      expect(await restore(id, to, await holding(...rights))).toMatchObject({ __typename: 'SecretPayload' });
      expect(await read(to)).toMatchObject({ secretString: data('first') });
    },
  );

  test('is refused by the access policy of the secret to whoever has every right', async () => {
    const accessPolicy = { ip: [{ effect: 'DENY', cidrs: ['127.0.0.0/8', '::1/128'] }] };
    const { id, path } = await createDeleted({ accessPolicy });
    const to = freshPath();
    const able = await holding(['SECRET_READ', `secret:${path}`], ...RIGHTS(path, to));
    expect(await restore(id, to, able)).toMatchObject({
      ...{ code: 'ACCESS_DENIED', permission: 'SECRET_GET_VALUE' },
    });
    expect(await restore(id, path, able)).toMatchObject({ __typename: 'SecretPayload' });
  });

  test('back to its own path takes SECRET_DELETE alone, and shows nothing without SECRET_READ', async () => {
    const { id, path } = await createDeleted();
    const caller = await holding(['SECRET_DELETE', `secret:${path}`]);
    expect(await restore(id, path, caller)).toEqual({ __typename: 'SecretPayload', secret: null });
    expect(await read(path)).toMatchObject({ secretString: data('first') });
  });
});

test('a write by whoever may not read the metadata is done, and its answer shows no secret', async () => {
  const { path } = await create();
  const writer = await holding(
    ['SECRET_PUT_VALUE', `secret:${path}`],
    ['SECRET_CREATE', `secret:${path}/new`],
    USE,
  );
  for (const field of ['putSecretValue', 'rollbackSecret', 'createSecret'] as const) {
    const answer = await USES[field]?.[1](path, writer);
    expect([field, answer]).toMatchObject([field, { __typename: 'SecretVersionPayload' }]);
    if (field !== 'rollbackSecret') expect([field, answer]).toMatchObject([field, { secret: null }]);
    expect(await read(path, writer)).toMatchObject({ code: 'NOT_FOUND' });
  }
  expect(await read(path)).toMatchObject({ version: 3, secretString: data('first') });
});

test.each(Object.entries(KEY_CHANGES))(
  '%s by whoever may not read the key is done, and its answer shows no key',
  async (field, { permission }) => {
    const identity = await keys.created();
    const change = field as KeyChange;
    if (change === 'enableKmsKey') await keys.change('disableKmsKey', { identity });
    if (change === 'cancelKmsKeyDeletion') await keys.change('scheduleKmsKeyDeletion', { identity });
    const before = await keys.state(identity);
    const input = { identity, ...(change === 'setKmsKeyRotation' && { rotationPeriodDays: 30 }) };
    const other = permission === 'KMS_KEY_UPDATE' ? 'KMS_KEY_DELETE' : 'KMS_KEY_UPDATE';
    const on = `kms-key:${identity}`;
    const blind = await holding([other, on], USE);
    expect(await keys.change(change, input, blind)).toMatchObject({ code: 'NOT_FOUND' });
    const seeing = await holding([other, on], USE, ['KMS_KEY_READ', on]);
    expect(await keys.change(change, input, seeing)).toMatchObject({ code: 'ACCESS_DENIED', permission });
    expect(await keys.state(identity)).toEqual(before);
    const able = await holding([permission, on]);
    expect(await keys.change(change, input, able)).toEqual({ __typename: 'KmsKeyPayload', kmsKey: null });
    await eventually(
      async () => JSON.stringify(await keys.state(identity)) !== JSON.stringify(before),
      2_000,
    );
  },
);

test('a rewrap by whoever may not read the key is done, and its answer shows no key', async () => {
  const identity = await keys.created();
  const { path } = await keys.secretUnder(identity, 'kept');
  await keys.change('rotateKmsKey', { identity });
  const blind = await holding(['KMS_KEY_UPDATE', `kms-key:${identity}`]);
  expect(await keys.rewrap(identity, blind)).toMatchObject({ rewrapped: 1, remaining: 0, kmsKey: null });
  expect(await keys.read(path)).toBe('kept');
});
