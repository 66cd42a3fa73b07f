import { afterAll, beforeAll, expect, test } from 'vitest';
import * as doc from '../../e2e/policy-documents.ts';
import { type TestApp, type TestCaller, testApp } from '../../support/test-app.ts';

let app: TestApp;

beforeAll(async () => {
  app = await testApp();
  const statement = { name: 's', effect: 'ALLOW' as const, permissions: ['SECRET_READ' as const] };
  const input = { name: 'Team', statements: [{ ...statement, resources: ['secret:/a'] }], subjects: [] };
  expect((await app.gql(doc.PUT_POLICY, { input })).data.putPolicy?.__typename).toBe('PolicyPayload');
});
afterAll(() => app.close());

const ask = (name: string, caller?: TestCaller) => app.gql(doc.POLICY, { name }, caller);
const NONE = '{"data":{"policy":null}}';

test('a policy that the caller may not read answers exactly like one that does not exist', async () => {
  for (const caller of [{ roles: [] }, { roles: ['secrets:FullAccess'] }]) {
    for (const name of ['Team', 'none', 'strongroom:admin'])
      expect((await ask(name, caller)).text).toBe(NONE);
  }
  expect((await ask('Team', { organisation: 'globex' })).text).toBe(NONE);
});

test.each(['team', 'TEAM', 'Team ', ' Team', 'Team\0', 'T\u0435am', '', '*', 'Te%', "Team' OR 1=1 --"])(
  'a name finds its policy exactly or not at all: %j',
  async (name) => {
    expect((await ask(name)).text).toBe(NONE);
  },
);

test('a policy is found by its name, and an unknown region is refused by its field', async () => {
  expect((await ask('Team')).data.policy).toMatchObject({ name: 'Team', builtIn: false, project: null });
  const { errors } = await app.raw('{ policy(name: "Team", region: "MARKER") { name } }');
  expect(errors?.[0]).toMatchObject({ extensions: { code: 'BAD_USER_INPUT', field: ['region'] } });
  expect(JSON.stringify(errors)).not.toContain('MARKER');
});
