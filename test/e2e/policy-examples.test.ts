import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeKey, type TestKey } from '../auth/test-issuer.ts';
import { data, type TestApp, testApp } from '../support/test-app.ts';

const docs = readFileSync(new URL('../../docs/policies.md', import.meta.url), 'utf8');
const EXAMPLES = docs.slice(docs.indexOf('## Five worked examples'));
const DOCUMENT = /```graphql\n(.*?)```/s.exec(EXAMPLES)?.[1] ?? '';
const exampleOf = (title: string): unknown =>
  JSON.parse(new RegExp(`### ${title}\n.*?\`\`\`json\n(.*?)\`\`\``, 's').exec(EXAMPLES)?.[1] ?? '');

const PEOPLE = 'https://people.example';
const CI = 'https://ci.example';
/** A Monday, noon in Amsterdam. */
const MONDAY = new Date('2026-03-02T11:00:00Z');

let app: TestApp;
let people: TestKey;
let ci: TestKey;
const PATHS = [
  ...[
    '/payments/db',
    '/payments/eu/db',
    '/paymentsx/db',
    '/shop/production/deploy-token',
    '/shop/production/db',
  ],
  ...['/production/db', '/apps/web/staging/db', '/apps/web/production/db', '/apps/production/db'],
];

interface Caller {
  readonly roles: readonly string[];
  readonly issuer?: string;
  readonly claims?: object;
  readonly from?: string;
}

async function ask(
  query: string,
  variables: unknown,
  { roles, issuer = PEOPLE, claims = {}, from = '198.51.100.1' }: Caller,
) {
  const seconds = Math.floor((app.clock.now ?? MONDAY).getTime() / 1000);
  const token = (issuer === CI ? ci : people).token({
    ...{ iss: issuer, iat: seconds, exp: seconds + 600, sub: 'somebody', roles, ...claims },
  });
  const response = await app.post(JSON.stringify({ query, variables }), {
    ...{ authorization: `Bearer ${token}`, 'x-forwarded-for': from },
  });
  return (await response.json()) as { data: Record<string, { __typename: string; code?: string } | null> };
}
const ADMIN: Caller = { roles: ['strongroom:admin'] };

beforeAll(async () => {
  [people, ci] = await Promise.all([makeKey('people'), makeKey('ci')]);
  const issuer = (name: string, key: TestKey, roles: '*' | readonly string[]) => ({
    ...{
      issuer: name,
      audience: 'strongroom',
      jwks: { keys: [key.publicJwk] },
      organisations: ['acme'],
      roles,
    },
  });
  app = await testApp({
    STRONGROOM_ISSUERS: JSON.stringify([issuer(PEOPLE, people, '*'), issuer(CI, ci, ['ci'])]),
    STRONGROOM_TRUSTED_PROXIES: '127.0.0.1/32',
  });
  app.clock.now = MONDAY;
  const key = await ask(
    'mutation { createKmsKey(input: { name: "default" }) { ... on KmsKeyPayload { kmsKey { identity } } } }',
    {},
    ADMIN,
  );
  const { identity } = (key.data['createKmsKey'] as unknown as { kmsKey: { identity: string } }).kmsKey;
  for (const path of PATHS) {
    const input = { path, kmsKeyIdentity: identity, value: { secretString: data(path) } };
    const create = 'mutation ($input: CreateSecretInput!) { createSecret(input: $input) { __typename } }';
    expect((await ask(create, { input }, ADMIN)).data['createSecret']?.__typename).toBe(
      'SecretVersionPayload',
    );
  }
});
afterAll(() => app.close());

/** Puts the example as it stands in the docs, as an administrator. */
async function putExample(title: string): Promise<void> {
  const answer = await ask(DOCUMENT, exampleOf(title), ADMIN);
  expect(answer.data['putPolicy']).toMatchObject({
    __typename: 'PolicyPayload',
    policy: { objectVersion: 1 },
  });
}
async function outcome(field: string, input: object, caller: Caller): Promise<string | undefined> {
  const type = `${field[0]?.toUpperCase() ?? ''}${field.slice(1)}Input`;
  const kind = field === 'getSecretValue' ? 'query' : 'mutation';
  const query = `${kind} ($input: ${type}!) { ${field}(input: $input) { __typename ... on UserError { code } } }`;
  const answer = (await ask(query, { input }, caller)).data[field];
  return answer?.code ?? answer?.__typename;
}
const readValue = (path: string, caller: Caller) => outcome('getSecretValue', { path }, caller);
const seesSecret = async (path: string, caller: Caller) =>
  (await ask('query ($path: SecretPath!) { secret(path: $path) { __typename } }', { path }, caller)).data[
    'secret'
  ] !== null;
/** The paths of which the caller reads the value; everything else answers like what does not exist, or is denied. */
async function valuesOf(caller: Caller): Promise<string[]> {
  const outcomes = await Promise.all(PATHS.map((path) => readValue(path, caller)));
  expect(
    outcomes.filter((each) => !['SecretValue', 'NOT_FOUND', 'ACCESS_DENIED'].includes(each ?? '')),
  ).toEqual([]);
  return PATHS.filter((_, i) => outcomes[i] === 'SecretValue');
}

test('the docs have five examples, and before them their roles can do nothing', async () => {
  expect(EXAMPLES.match(/^### .*$/gm)).toHaveLength(5);
  expect(
    await valuesOf({ roles: ['payments', 'auditor', 'on-call', 'developer'], from: '192.0.2.1' }),
  ).toEqual([]);
});

test("a team's subtree: the team works below its path and sees nothing beside it", async () => {
  await putExample("A team's subtree");
  const team: Caller = { roles: ['payments'] };
  expect(await valuesOf(team)).toEqual(['/payments/db', '/payments/eu/db']);
  expect(await readValue('/paymentsx/db', team)).toBe('NOT_FOUND');
  const value = { secretString: data('new') };
  expect(await outcome('putSecretValue', { path: '/payments/db', value }, team)).toBe('SecretVersionPayload');
  expect(await outcome('putSecretValue', { path: '/production/db', value }, team)).toBe('NOT_FOUND');
});

test('read-only auditors: they see everything and read no value, also with another role that would let them', async () => {
  await putExample('Read-only auditors');
  for (const roles of [['auditor'], ['auditor', 'secrets:FullAccess'], ['auditor', 'payments']]) {
    expect(await valuesOf({ roles })).toEqual([]);
    expect(await readValue('/production/db', { roles })).toBe('ACCESS_DENIED');
    expect(await seesSecret('/production/db', { roles })).toBe(true);
    expect(await outcome('updateSecret', { path: '/production/db', description: 'x' }, { roles })).toBe(
      'ACCESS_DENIED',
    );
  }
  const listed = await ask('{ policies { nodes { name } } }', {}, { roles: ['auditor'] });
  expect(JSON.stringify(listed)).toContain('team-payments');
});

test('CI reads one path from one branch, and claims of another issuer mean nothing', async () => {
  await putExample('CI that may read one path from one branch');
  const claims = { repository: 'acme/shop', ref: 'refs/heads/main' };
  const main: Caller = { roles: ['ci'], issuer: CI, claims };
  expect(await valuesOf({ ...main, claims: { ...claims, ref: 'refs/heads/feature' } })).toEqual([]);
  expect(await valuesOf({ ...main, claims: { ...claims, ref: 'refs/heads/main2' } })).toEqual([]);
  expect(await valuesOf({ ...main, claims: { ref: claims.ref } })).toEqual([]);
  expect(await valuesOf({ ...main, claims: { ...claims, repository: '*' } })).toEqual([]);
  expect(await valuesOf({ ...main, issuer: PEOPLE })).toEqual([]);
  expect(await valuesOf(main)).toEqual(['/shop/production/deploy-token']);
});

test('break-glass: production is read in office hours from the office, on both sides of a change of clocks', async () => {
  await putExample('Break-glass in office hours');
  const onCall: Caller = { roles: ['on-call'], from: '192.0.2.7' };
  const at = async (time: string, caller: Caller) => {
    app.clock.now = new Date(time);
    return readValue('/production/db', caller).finally(() => (app.clock.now = MONDAY));
  };
  expect(await readValue('/production/db', { ...onCall, from: '198.51.100.1' })).toBe('NOT_FOUND');
  expect(await readValue('/production/db', { ...onCall, from: 'garbage' })).toBe('NOT_FOUND');
  expect(await at('2026-03-01T11:00:00Z', onCall)).toBe('NOT_FOUND');
  expect(await at('2026-03-27T07:59:00Z', onCall)).toBe('NOT_FOUND');
  expect(await at('2026-03-27T08:00:00Z', onCall)).toBe('SecretValue');
  expect(await at('2026-03-30T06:59:00Z', onCall)).toBe('NOT_FOUND');
  expect(await at('2026-03-30T07:00:00Z', onCall)).toBe('SecretValue');
  expect(await at('2026-03-30T15:00:00Z', onCall)).toBe('NOT_FOUND');
  expect(await valuesOf(onCall)).toEqual(['/production/db']);
  expect(await valuesOf({ ...onCall, from: '2001:db8:1::9' })).toEqual(['/production/db']);
});

test('a deny inside an allow: production of every app is as if it were not there', async () => {
  await putExample('A deny inside an allow');
  const developer: Caller = { roles: ['developer'] };
  expect(await valuesOf(developer)).toEqual(['/apps/web/staging/db', '/apps/production/db']);
  expect(await readValue('/apps/web/production/db', developer)).toBe('NOT_FOUND');
  expect(await seesSecret('/apps/web/production/db', developer)).toBe(false);
  expect(await seesSecret('/apps/web/staging/db', developer)).toBe(true);
});
