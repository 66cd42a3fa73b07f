import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BUILT_IN_POLICIES } from '../../../src/policy/built-in-policies.ts';
import * as doc from '../../e2e/policy-documents.ts';
import { type TestApp, type TestCaller, testApp } from '../../support/test-app.ts';

let app: TestApp;
const ORGANISATION = { organisation: 'listed', roles: ['strongroom:admin'] };
const PROJECT = { ...ORGANISATION, project: 'payments' };
const BUILT_IN = BUILT_IN_POLICIES.map(({ name }) => name);

beforeAll(async () => {
  app = await testApp();
  await put('Alpha', ORGANISATION);
  await put('beta', ORGANISATION);
  await put('alpha-project', PROJECT);
  await put('elsewhere', { ...ORGANISATION, project: 'billing' });
});
afterAll(() => app.close());

const ALLOW = {
  name: 's',
  effect: 'ALLOW' as const,
  permissions: ['SECRET_READ' as const],
  resources: ['secret:/a'],
};

async function put(name: string, caller: TestCaller, change: Record<string, unknown> = {}) {
  const input = { name, statements: [ALLOW], subjects: [{ kind: 'ROLE' as const, value: 'r' }], ...change };
  const { data } = await app.gql(doc.PUT_POLICY, { input }, caller);
  expect(data.putPolicy).toMatchObject({ policy: { name } });
  return data.putPolicy?.__typename === 'PolicyPayload' ? data.putPolicy.policy : null;
}
const list = async (
  caller: TestCaller,
  page: { first?: number; after?: string; last?: number; before?: string } = {},
) => (await app.gql(doc.POLICIES, page, caller)).data.policies;
const namesOf = async (caller: TestCaller) => (await list(caller))?.nodes.map(({ name }) => name);
const node = async (id: string, caller: TestCaller) =>
  (
    await app.raw(
      'query ($id: ID!) { node(id: $id) { id __typename ... on Policy { name } } }',
      { id },
      caller,
    )
  ).text;
/** A caller whose role may read the policies of these names. */
async function reader(...names: string[]): Promise<TestCaller> {
  const role = `role-${randomUUID()}`;
  await put(
    `reader-${randomUUID()}`,
    { ...ORGANISATION, organisation: 'readers' },
    {
      statements: [
        {
          name: 'r',
          effect: 'ALLOW',
          permissions: ['POLICY_READ'],
          resources: names.map((name) => `policy:${name}`),
        },
      ],
      subjects: [{ kind: 'ROLE', value: role }],
    },
  );
  return { organisation: 'readers', roles: [role] };
}

test('a list, a name and an id hold nothing for who may not read policies, like what does not exist', async () => {
  const made = await put('hidden', { ...ORGANISATION, organisation: 'hiding' });
  for (const caller of [
    { organisation: 'hiding', roles: ['secrets:FullAccess'] },
    { organisation: 'hiding', roles: [] },
  ]) {
    expect(await namesOf(caller)).toEqual([]);
    for (const name of ['hidden', 'strongroom:admin', 'none', '', 'x y', '\0']) {
      expect((await app.gql(doc.POLICY, { name }, caller)).text).toBe('{"data":{"policy":null}}');
    }
    expect(await node(made?.id ?? '', caller)).toBe('{"data":{"node":null}}');
  }
  expect(await node(made?.id ?? '', { ...ORGANISATION, organisation: 'other' })).toBe(
    '{"data":{"node":null}}',
  );
  expect(await node(made?.id ?? '', { ...ORGANISATION, organisation: 'hiding' })).toContain(
    '"name":"hidden"',
  );
});

test('a list holds the policies that the caller may read and no others, in pages of what is left', async () => {
  const caller = await reader('audit:ReadAccess', 'strongroom:admin');
  expect(await namesOf(caller)).toEqual(['audit:ReadAccess', 'strongroom:admin']);
  const first = await list(caller, { first: 1 });
  expect(first).toMatchObject({ nodes: [{ name: 'audit:ReadAccess' }], pageInfo: { hasNextPage: true } });
  expect(await list(caller, { first: 5, after: first?.pageInfo.endCursor ?? '' })).toMatchObject({
    ...{ nodes: [{ name: 'strongroom:admin', builtIn: true }], pageInfo: { hasNextPage: false } },
  });
});

test('an organisation lists the built-in policies and its own, a project its own besides, bytewise by name', async () => {
  expect(await namesOf(ORGANISATION)).toEqual([...BUILT_IN, 'Alpha', 'beta'].sort());
  expect(await namesOf(PROJECT)).toEqual([...BUILT_IN, 'Alpha', 'beta', 'alpha-project'].sort());
  expect((await list(PROJECT))?.nodes.find(({ name }) => name === 'alpha-project')).toMatchObject({
    project: 'payments',
  });
});

test('pages join to the whole list, from either end', async () => {
  const whole = await namesOf(PROJECT);
  const forward: string[] = [];
  const backward: string[] = [];
  for (let after: string | undefined; ;) {
    const page = await list(PROJECT, { first: 3, ...(after !== undefined && { after }) });
    forward.push(...(page?.nodes ?? []).map(({ name }) => name));
    if (!page?.pageInfo.hasNextPage) break;
    after = page.pageInfo.endCursor ?? '';
  }
  for (let before: string | undefined; ;) {
    const page = await list(PROJECT, { last: 3, ...(before !== undefined && { before }) });
    backward.unshift(...(page?.nodes ?? []).map(({ name }) => name));
    if (!page?.pageInfo.hasPreviousPage) break;
    before = page.pageInfo.startCursor ?? '';
  }
  expect(forward).toEqual(whole);
  expect(backward).toEqual(whole);
});

test('in a project the organisation’s policies are read, and changed by nobody', async () => {
  expect((await app.gql(doc.POLICY, { name: 'beta' }, PROJECT)).data.policy).toMatchObject({ project: null });
  const remove = (name: string, caller: TestCaller) =>
    app.gql(doc.DELETE_POLICY, { input: { name } }, caller);
  expect((await remove('beta', PROJECT)).data.deletePolicy).toMatchObject({ code: 'NOT_FOUND' });
  expect((await remove('alpha-project', ORGANISATION)).data.deletePolicy).toMatchObject({
    code: 'NOT_FOUND',
  });
});

test('where the organisation takes a name later, the project reads its own by it, and both by their ids', async () => {
  const own = await put('same', PROJECT);
  const other = await put('same', ORGANISATION);
  expect((await app.gql(doc.POLICY, { name: 'same' }, PROJECT)).data.policy).toMatchObject({ id: own?.id });
  expect(await node(other?.id ?? '', PROJECT)).toContain('"name":"same"');
  expect((await list(PROJECT))?.nodes.filter(({ name }) => name === 'same')).toMatchObject([
    { project: null },
    { project: 'payments' },
  ]);
  expect(await node(own?.id ?? '', ORGANISATION)).toBe('{"data":{"node":null}}');
});

test('a built-in policy has an id of its own and says that nobody changes it', async () => {
  const { policy } = (await app.gql(doc.POLICY, { name: 'secrets:ReadAccess' }, ORGANISATION)).data;
  expect(policy).toMatchObject({
    ...{ builtIn: true, project: null, objectVersion: 1, createdAt: '1970-01-01T00:00:00.000Z' },
    subjects: [{ kind: 'ROLE', value: 'secrets:ReadAccess', issuer: null }],
  });
  expect(await node(policy?.id ?? '', ORGANISATION)).toContain('"name":"secrets:ReadAccess"');
});

test.each([
  [{ first: 0 }, 'first'],
  [{ first: 101 }, 'first'],
  [{ first: 1, last: 1 }, 'last'],
  [{ after: 'MARKER' }, 'after'],
  [{ before: Buffer.from('["policies","x y",""]').toString('base64url') }, 'before'],
])('a bad page is refused by its field: %j', async (page, field) => {
  const answer = await app.raw(doc.POLICIES, page, ORGANISATION);
  expect(answer.errors?.[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', field: [field] });
});

test('a scope has at most 1,000 policies, and those that it has can still be replaced', async () => {
  const caller = { ...ORGANISATION, organisation: 'crowded' };
  await put('first', caller);
  await app.database.query(
    `INSERT INTO policy SELECT organisation, gen_random_uuid(), project, 'p' || n, 'p' || n, description, statements,
       subjects, object_version, created_at, updated_at
     FROM policy, generate_series(1, 999) AS n WHERE organisation = 'crowded'`,
  );
  const input = { name: 'one-more', statements: [ALLOW], subjects: [] };
  expect((await app.gql(doc.PUT_POLICY, { input }, caller)).data.putPolicy).toMatchObject({
    ...{ code: 'INVALID_INPUT', field: ['input', 'name'] },
  });
  await put('first', caller);
  await put('in-a-project', { ...caller, project: 'roomy' });
});
