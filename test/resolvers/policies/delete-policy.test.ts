import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import * as doc from '../../e2e/policy-documents.ts';
import { type TestApp, type TestCaller, testApp } from '../../support/test-app.ts';

let app: TestApp;

beforeAll(async () => {
  app = await testApp();
});
afterAll(() => app.close());

const ALL = { resources: ['secret:/**'], permissions: ['SECRET_READ' as const] };
const ALLOW = { name: 'allow', effect: 'ALLOW' as const, ...ALL };
const DENY = { name: 'deny', effect: 'DENY' as const, ...ALL };
const POLICY_RIGHTS = { name: 'write', effect: 'ALLOW' as const, resources: ['policy:*'] };
const fresh = (name: string) => `${name}-${randomUUID()}`;

async function putPolicy(
  statements: (typeof ALLOW | typeof DENY)[],
  role = fresh('role'),
  caller?: TestCaller,
) {
  const name = fresh('p');
  const input = { name, statements, subjects: [{ kind: 'ROLE' as const, value: role }] };
  expect((await app.gql(doc.PUT_POLICY, { input }, caller)).data.putPolicy).toMatchObject({
    policy: { name },
  });
  return name;
}
async function author(permissions: ('POLICY_WRITE' | 'POLICY_READ')[]): Promise<TestCaller> {
  const role = fresh('role');
  const input = {
    ...{ name: fresh('p'), statements: [{ ...POLICY_RIGHTS, permissions }] },
    subjects: [{ kind: 'ROLE' as const, value: role }],
  };
  await app.gql(doc.PUT_POLICY, { input });
  return { roles: [role] };
}
const remove = (name: string, caller?: TestCaller, expectedObjectVersion?: number) =>
  app.gql(doc.DELETE_POLICY, { input: { name, expectedObjectVersion } }, caller);
const exists = async (name: string) => (await app.gql(doc.POLICY, { name })).data.policy !== null;

test('a policy that the caller may neither write nor read answers like one that does not exist', async () => {
  const name = await putPolicy([ALLOW]);
  const { text } = await remove(fresh('none'), { roles: [] });
  expect(JSON.parse(text)).toMatchObject({ data: { deletePolicy: { code: 'NOT_FOUND' } } });
  for (const caller of [
    { roles: [] },
    { organisation: 'globex' },
    { roles: ['strongroom:admin'], project: 'pay' },
  ]) {
    expect((await remove(name, caller)).text).toBe(text);
  }
  expect(await exists(name)).toBe(true);
});

test('a policy that the caller may read and not write is denied', async () => {
  const name = await putPolicy([ALLOW]);
  expect((await remove(name, await author(['POLICY_READ']))).data.deletePolicy).toMatchObject({
    ...{ code: 'ACCESS_DENIED', permission: 'POLICY_WRITE' },
  });
});

test.each(['', 'MARKER x', 'MARKÄR', 'strongroom:admin', 'audit:ReadAccess'])(
  'a name that is none of a policy that can be deleted is refused: %j',
  async (name) => {
    const answer = await remove(name);
    expect(answer.data.deletePolicy).toMatchObject({ code: 'INVALID_INPUT', field: ['input', 'name'] });
    expect(answer.text).not.toContain('MARKER');
  },
);

test('a DENY is not deleted by who does not hold what it denies, nor by whom it binds', async () => {
  const name = await putPolicy([DENY]);
  expect((await remove(name, await author(['POLICY_WRITE']))).data.deletePolicy).toMatchObject({
    ...{ code: 'ACCESS_DENIED', permission: 'SECRET_READ' },
  });
  expect((await remove(name)).data.deletePolicy).toMatchObject({ name });
  const onMe = await putPolicy([DENY], 'strongroom:admin', { organisation: 'bound' });
  expect((await remove(onMe, { organisation: 'bound' })).data.deletePolicy).toMatchObject({
    code: 'ACCESS_DENIED',
  });
});

test('the policy that gives its author the last POLICY_WRITE is not deleted by that author', async () => {
  const role = fresh('role');
  const name = fresh('p');
  const statements = [{ ...POLICY_RIGHTS, permissions: ['POLICY_WRITE' as const] }];
  await app.gql(doc.PUT_POLICY, { input: { name, statements, subjects: [{ kind: 'ROLE', value: role }] } });
  expect((await remove(name, { roles: [role] })).data.deletePolicy).toMatchObject({
    ...{ code: 'POLICY_LOCKOUT', field: ['input', 'name'] },
  });
  expect((await remove(name)).data.deletePolicy).toMatchObject({ name });
});

test('another expected objectVersion is a conflict; the right one deletes, for good and at once, with one event', async () => {
  const role = fresh('role');
  const name = await putPolicy([ALLOW], role);
  const allowed = async () =>
    (
      await app.gql(
        doc.EXPLAIN,
        { input: { permission: 'SECRET_READ', resource: 'secret:/a' } },
        { roles: [role] },
      )
    ).data.explainAccess?.allowed;
  expect((await remove(name, undefined, 2)).data.deletePolicy).toMatchObject({ code: 'CONFLICT', actual: 1 });
  expect(await allowed()).toBe(true);
  expect((await remove(name, undefined, 1)).data.deletePolicy).toMatchObject({ name });
  expect(await allowed()).toBe(false);
  expect(await exists(name)).toBe(false);
  expect((await remove(name)).data.deletePolicy).toMatchObject({ code: 'NOT_FOUND' });
  const { rows } = await app.database.query(
    "SELECT outcome, error_code FROM audit_event WHERE action = 'policy.delete' AND resource = $1 ORDER BY sequence",
    [name],
  );
  expect(rows).toEqual([
    { outcome: 'FAILED', error_code: 'CONFLICT' },
    { outcome: 'SUCCESS', error_code: null },
    { outcome: 'FAILED', error_code: 'NOT_FOUND' },
  ]);
});
