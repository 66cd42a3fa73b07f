import { randomUUID } from 'node:crypto';
import type { VariablesOf } from 'gql.tada';
import { afterAll, beforeAll, expect, test } from 'vitest';
import * as documents from '../../e2e/documents.ts';
import * as doc from '../../e2e/policy-documents.ts';
import { data, freshPath, type TestApp, type TestCaller, testApp } from '../../support/test-app.ts';

let app: TestApp;
let kmsKeyIdentity: string;

type Statement = VariablesOf<typeof doc.PUT_POLICY>['input']['statements'][number];
type Input = VariablesOf<typeof doc.EXPLAIN>['input'];

const VALUE: Statement = {
  name: 'office',
  effect: 'ALLOW',
  permissions: ['SECRET_GET_VALUE'],
  resources: ['secret:/office/**'],
  conditions: {
    ip: [{ effect: 'ALLOW', cidrs: ['10.0.0.0/8'] }],
    time: [{ effect: 'ALLOW', start: '09:00', end: '17:00', timeZone: 'Europe/Amsterdam' }],
  },
};

beforeAll(async () => {
  app = await testApp();
  kmsKeyIdentity = (await app.gql(documents.KMS_KEYS, {})).data.kmsKeys?.nodes[0]?.identity ?? '';
  await put('office', [
    VALUE,
    { ...VALUE, name: 'never', effect: 'DENY', resources: ['secret:/office/hr/**'], conditions: null },
  ]);
  await put(
    'ci',
    [{ ...VALUE, resources: ['secret:/ci/*'], conditions: { claims: [{ key: '/ref', value: 'main' }] } }],
    'https://ci.example',
  );
  await put('metadata', [
    { ...VALUE, permissions: ['SECRET_READ'], resources: ['secret:/**'], conditions: null },
  ]);
});
afterAll(() => app.close());

async function put(name: string, statements: Statement[], issuer: string | null = null) {
  const input = { name, statements, subjects: [{ kind: 'ROLE' as const, value: name, issuer }] };
  expect((await app.gql(doc.PUT_POLICY, { input })).data.putPolicy).toMatchObject({ policy: { name } });
}
const explain = (input: Partial<Input>, caller?: TestCaller) =>
  app.gql(
    doc.EXPLAIN,
    { input: { permission: 'SECRET_GET_VALUE', resource: 'secret:/office/x', ...input } },
    caller,
  );
const decision = async (input: Partial<Input>, caller?: TestCaller) =>
  (await explain(input, caller)).data.explainAccess;
async function createSecret(
  path: string,
  accessPolicy?: VariablesOf<typeof documents.CREATE>['input']['accessPolicy'],
) {
  const input = {
    path,
    kmsKeyIdentity,
    value: { secretString: data('x') },
    accessPolicy: accessPolicy ?? null,
  };
  expect((await app.gql(documents.CREATE, { input })).data.createSecret?.__typename).toBe(
    'SecretVersionPayload',
  );
}
const OFFICE = { ip: '10.1.2.3', at: '2026-03-02T12:00:00Z' };
const NONE = { allowed: false, reason: 'NO_STATEMENT_ALLOWS', matched: [], failedConditions: [] };
const WHERE_IP = { ip: [{ effect: 'ALLOW' as const, cidrs: ['192.0.2.0/24'] }] };

test('to explain for others needs POLICY_READ on all policies, and a refusal is an event', async () => {
  const role = `some-${randomUUID()}`;
  await put(role, [
    { name: 's', effect: 'ALLOW', permissions: ['POLICY_READ'], resources: ['policy:office'] },
  ]);
  const hidden = `hidden-${randomUUID()}`;
  await put(hidden, [
    { name: 'all', effect: 'ALLOW', permissions: ['POLICY_READ'], resources: ['policy:*'] },
    { name: 'but', effect: 'DENY', permissions: ['POLICY_READ'], resources: ['policy:office'] },
  ]);
  for (const roles of [[], ['secrets:FullAccess'], [role], [hidden]]) {
    for (const other of [{ roles: ['office'] }, { subject: 'bob', issuer: 'https://one.example' }]) {
      const { data: answer, errors } = await explain(other, { roles });
      expect(answer).toEqual({ explainAccess: null });
      expect(errors?.[0]?.extensions).toMatchObject({ code: 'FORBIDDEN' });
    }
  }
  const { rows } = await app.database.query(
    `SELECT action, outcome, resource_type, details FROM audit_event WHERE organisation = 'acme'
     ORDER BY sequence DESC LIMIT 1`,
  );
  expect(rows).toEqual([
    {
      ...{ action: 'auth.denied', outcome: 'DENIED', resource_type: 'policy' },
      details: { field: 'explainAccess', permission: 'POLICY_READ', reason: 'NOT_ALL_POLICIES' },
    },
  ]);
});

test.each<[string, Record<string, unknown>]>([
  ['region', { region: 'MARKER' }],
  ['resource', { resource: 'MARKER' }],
  ['resource', { resource: 'secret:MARKER' }],
  ['resource', { resource: 'secret:/MARKER/*' }],
  ['resource', { resource: 'secret:/MARKER/..' }],
  ['resource', { resource: 'kms-key:MARKER' }],
  ['resource', { permission: 'KMS_KEY_USE', resource: 'kms-key:MARKER/*' }],
  ['resource', { permission: 'AUDIT_READ', resource: 'audit:MARKER' }],
  ['ip', { ip: 'MARKER' }],
  ['ip', { ip: '010.0.0.1' }],
  ['ip', { ip: '10.0.0.0/8' }],
  ['ip', { ip: 'fe80::1%eth0' }],
  ['at', { at: 'MARKER' }],
  ['at', { at: '2026-02-30T00:00:00Z' }],
  ['issuer', { subject: 'MARKER' }],
  ['subject', { issuer: 'MARKER' }],
  ['subject', { subject: '', issuer: 'MARKER' }],
  ['subject', { subject: 'MARKER\0', issuer: 'x' }],
])('a bad %s is refused by its field, never quoted: %j', async (field, input) => {
  const answer = await app.raw(doc.EXPLAIN, {
    input: { permission: 'SECRET_GET_VALUE', resource: 'secret:/a', ...input },
  });
  expect(answer.errors?.[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', field: ['input', field] });
  expect(answer.text).not.toContain('MARKER');
});

test('nobody without a right is told more than that nothing allows it', async () => {
  expect(await decision({}, { roles: [] })).toEqual(NONE);
  expect(
    await decision({ resource: 'secret:/office/x' }, { roles: ['office'], organisation: 'globex' }),
  ).toEqual(NONE);
});

test('the statements that decide are named, a DENY before every ALLOW', async () => {
  expect(await decision(OFFICE, { roles: ['office'] })).toEqual({
    ...{ allowed: true, reason: 'ALLOWED_BY_STATEMENT', failedConditions: [] },
    matched: [{ policy: 'office', statement: 'office', effect: 'ALLOW' }],
  });
  expect(await decision({ ...OFFICE, resource: 'secret:/office/hr/x' }, { roles: ['office'] })).toEqual({
    ...{ allowed: false, reason: 'DENIED_BY_STATEMENT', failedConditions: [] },
    matched: [{ policy: 'office', statement: 'never', effect: 'DENY' }],
  });
});

test('conditions that fail are told by policy, statement and position, without their values', async () => {
  const caller = { roles: ['office'] };
  const place = 'policy office, statement office (ALLOW)';
  expect(await decision({ ...OFFICE, ip: '192.0.2.1' }, caller)).toEqual({
    ...NONE,
    failedConditions: [`${place}: no ip ALLOW matched`],
  });
  expect(await decision({ at: '2026-03-02T17:00:00Z' }, caller)).toEqual({
    ...NONE,
    failedConditions: [`${place}: no ip ALLOW matched`, `${place}: no time ALLOW matched`],
  });
  // 08:30 in winter and 08:30 in summer, on either side of the change of clocks.
  expect((await decision({ ...OFFICE, at: '2026-03-27T07:30:00Z' }, caller))?.allowed).toBe(false);
  expect((await decision({ ...OFFICE, at: '2026-03-30T07:30:00Z' }, caller))?.allowed).toBe(true);
});

test('for somebody else the roles are those given, and the claims count as unknown', async () => {
  const other = { subject: 'bob', issuer: 'https://ci.example' };
  expect(await decision({ ...other, ...OFFICE })).toEqual(NONE);
  expect((await decision({ ...other, ...OFFICE, roles: ['office'] }))?.allowed).toBe(true);
  expect(await decision({ ...other, roles: ['ci'], resource: 'secret:/ci/a' })).toEqual({
    ...NONE,
    failedConditions: ['policy ci, statement office (ALLOW): claims[0] unknown'],
  });
  const elsewhere = { ...other, issuer: 'https://other.example' };
  expect(await decision({ ...elsewhere, roles: ['ci'], resource: 'secret:/ci/a' })).toEqual(NONE);
});

test('what exists is explained like what does not, unless the caller may read it', async () => {
  const [here, none] = [freshPath(), freshPath()];
  await createSecret(here, WHERE_IP);
  for (const permission of [
    'SECRET_GET_VALUE',
    'SECRET_PUT_VALUE',
    'SECRET_READ',
    'SECRET_DELETE',
  ] as const) {
    const [a, b] = [here, none].map((path) =>
      explain({ permission, resource: `secret:${path}` }, { roles: ['office'] }),
    );
    expect((await a)?.text).toBe((await b)?.text);
  }
  const keys = [kmsKeyIdentity, `kms-${'0'.repeat(20)}`];
  const asked = keys.map((key) =>
    explain({ permission: 'KMS_KEY_USE', resource: `kms-key:${key}` }, { roles: [] }),
  );
  expect((await asked[0])?.text).toBe((await asked[1])?.text);
});

test('a secret’s own access policy is told to who may read the secret, for its values alone', async () => {
  const path = `/office/${randomUUID()}`;
  await createSecret(path, WHERE_IP);
  const resource = `secret:${path}`;
  const gate = 'access policy: no ip ALLOW matched';
  expect(await decision({ ...OFFICE, resource }, { roles: ['office', 'metadata'] })).toEqual({
    ...{ allowed: false, reason: 'DENIED_BY_ACCESS_POLICY', failedConditions: [gate] },
    matched: [{ policy: 'office', statement: 'office', effect: 'ALLOW' }],
  });
  expect(await decision({ ...OFFICE, resource }, { roles: ['office'] })).toMatchObject({
    allowed: true,
    failedConditions: [],
  });
  expect((await decision({ resource, permission: 'SECRET_READ' }))?.allowed).toBe(true);
  expect((await decision({ resource, ip: '192.0.2.9' }))?.allowed).toBe(true);
  expect(await decision({ resource, permission: 'SECRET_PUT_VALUE', ip: '192.0.3.9' })).toMatchObject({
    reason: 'DENIED_BY_ACCESS_POLICY',
  });
  // Where a statement refuses already, that is the reason.
  expect(await decision({ resource }, { roles: ['metadata'] })).toMatchObject({
    ...{ reason: 'NO_STATEMENT_ALLOWS', failedConditions: [gate] },
  });
});

test('a KMS key of no use here is OUT_OF_SCOPE for who may read keys', async () => {
  const input = { permission: 'KMS_KEY_USE' as const, resource: `kms-key:${kmsKeyIdentity}` };
  expect((await decision(input))?.reason).toBe('ALLOWED_BY_STATEMENT');
  const project = { roles: ['strongroom:admin'], project: 'payments' };
  for (const resource of [input.resource, 'kms-key:none']) {
    expect(await decision({ ...input, resource }, project)).toEqual({ ...NONE, reason: 'OUT_OF_SCOPE' });
  }
  expect(
    (await decision({ ...input, permission: 'KMS_KEY_CREATE', resource: 'kms-key:*' }, project))?.allowed,
  ).toBe(true);
});

test('every kind of resource can be asked about, and an explanation that is given leaves no event', async () => {
  const count = async () =>
    (await app.database.query<{ n: number }>('SELECT count(*)::int AS n FROM audit_event')).rows[0]?.n;
  const before = await count();
  for (const [permission, resource] of [
    ['SECRET_CREATE', 'secret:/a'],
    ['KMS_KEY_CREATE', 'kms-key:*'],
    ['POLICY_WRITE', 'policy:any'],
    ['POLICY_WRITE', 'policy:*'],
    ['AUDIT_READ', 'audit:*'],
  ] as const) {
    expect(await decision({ permission, resource })).toMatchObject({
      ...{ allowed: true, matched: [{ policy: 'strongroom:admin', statement: 'allow', effect: 'ALLOW' }] },
    });
  }
  expect(await count()).toBe(before);
});
