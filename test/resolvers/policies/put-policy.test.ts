import { randomUUID } from 'node:crypto';
import type { VariablesOf } from 'gql.tada';
import { afterAll, beforeAll, expect, test } from 'vitest';
import * as doc from '../../e2e/policy-documents.ts';
import { type TestApp, type TestCaller, testApp } from '../../support/test-app.ts';

let app: TestApp;

beforeAll(async () => {
  app = await testApp();
});
afterAll(() => app.close());

type Input = VariablesOf<typeof doc.PUT_POLICY>['input'];
type Statement = Input['statements'][number];

const ALLOW: Statement = {
  name: 'read',
  effect: 'ALLOW',
  permissions: ['SECRET_READ'],
  resources: ['secret:/team/**'],
};
const TEAM = { kind: 'ROLE' as const, value: 'team' };
const freshName = (name = 'p') => `${name}-${randomUUID()}`;
const policy = (input: Partial<Input> = {}): Input => ({
  ...{ name: freshName(), statements: [ALLOW], subjects: [TEAM] },
  ...input,
});
const put = async (input: Partial<Input> = {}, caller?: TestCaller) =>
  (await app.gql(doc.PUT_POLICY, { input: policy(input) }, caller)).data.putPolicy;
/** What the types would not let through. */
const putRaw = (input: Record<string, unknown>, caller?: TestCaller) =>
  app.raw(doc.PUT_POLICY, { input: { ...policy(), ...input } }, caller);
const read = async (name: string, caller?: TestCaller) =>
  (await app.gql(doc.POLICY, { name }, caller)).data.policy;
/** Binds statements to a fresh role, and gives a caller who has that role alone. */
async function callerWith(statements: Statement[], project?: string): Promise<TestCaller> {
  const role = freshName('role');
  const scope = project === undefined ? {} : { project };
  const made = await put(
    { statements, subjects: [{ kind: 'ROLE', value: role }] },
    { roles: ['strongroom:admin'], ...scope },
  );
  expect(made).toMatchObject({ __typename: 'PolicyPayload' });
  return { roles: [role], subject: role, ...scope };
}
const WRITE: Statement = {
  name: 'write',
  effect: 'ALLOW',
  permissions: ['POLICY_WRITE', 'POLICY_READ'],
  resources: ['policy:*'],
};

async function eventsOf(work: () => Promise<unknown>) {
  const { rows: before } = await app.database.query<{ n: string }>(
    "SELECT coalesce(max(sequence), 0) AS n FROM audit_event WHERE organisation = 'acme'",
  );
  await work();
  const { rows } = await app.database.query<Record<string, unknown>>(
    `SELECT action, outcome, error_code, resource_type, resource, details FROM audit_event
     WHERE organisation = 'acme' AND sequence > $1 ORDER BY sequence`,
    [before[0]?.n],
  );
  return rows;
}

test('writing needs POLICY_WRITE on the name, decided before anything is looked for', async () => {
  const made = policy();
  expect(await put(made)).toMatchObject({ __typename: 'PolicyPayload' });
  const other = await callerWith([{ ...WRITE, resources: ['policy:mine'] }]);
  for (const caller of [{ roles: [] }, { roles: ['secrets:FullAccess'] }, other]) {
    for (const name of [made.name, freshName()]) {
      expect(await put({ ...made, name, expectedObjectVersion: 7 }, caller)).toMatchObject({
        ...{ code: 'ACCESS_DENIED', permission: 'POLICY_WRITE' },
        message: 'This needs the permission POLICY_WRITE.',
      });
    }
  }
  expect(await read(made.name)).toMatchObject({ objectVersion: 1 });
});

const ipOf = (cidrs: readonly string[]) => ({ ip: [{ effect: 'ALLOW', cidrs }] });
const timeOf = (time: Record<string, unknown>) => ({
  time: [{ effect: 'ALLOW', start: '09:00', end: '17:00', timeZone: 'UTC', ...time }],
});
const inStatement = (change: Record<string, unknown>) => ({ statements: [{ ...ALLOW, ...change }] });
const withCondition = (conditions: Record<string, unknown>) => inStatement({ conditions });
const at = (...path: readonly string[]) => ['statements', '0', ...path];
const many = <T>(count: number, of: (index: number) => T) => Array.from({ length: count }, (_, i) => of(i));
const blocks = (count: number) => many(count, (i) => `10.${Math.floor(i / 256)}.${i % 256}.0/24`);

test.each<[readonly string[], Record<string, unknown>]>([
  [['region'], { region: 'MARKER' }],
  [['name'], { name: '' }],
  [['name'], { name: 'MARKER'.padEnd(129, 'x') }],
  [['name'], { name: 'MARKER space' }],
  [['name'], { name: '.MARKER' }],
  [['name'], { name: 'MARKÄR' }],
  [['description'], { description: 'MARKER'.padEnd(1_025, 'x') }],
  [['expectedObjectVersion'], { expectedObjectVersion: -1 }],
  [['statements'], { statements: [] }],
  [['statements'], { statements: many(101, (i) => ({ ...ALLOW, name: `s${i}` })) }],
  [['statements', '1', 'name'], { statements: [ALLOW, { ...ALLOW, name: 'READ' }] }],
  [at('name'), inStatement({ name: 'MARKER MARKER' })],
  [at('permissions'), inStatement({ permissions: [] })],
  [at('permissions', '1'), inStatement({ permissions: ['SECRET_READ', 'SECRET_READ'] })],
  [at('permissions', '1'), inStatement({ permissions: ['SECRET_READ', 'KMS_KEY_USE'] })],
  [at('resources'), inStatement({ resources: [] })],
  [at('resources'), inStatement({ resources: many(101, (i) => `secret:/s${i}`) })],
  [at('resources', '1'), inStatement({ resources: ['secret:/a', 'secret:/a'] })],
  [at('resources', '1'), inStatement({ resources: ['secret:/a', 'kms-key:*'] })],
  [at('permissions', '0'), inStatement({ resources: ['kms-key:*'] })],
  [
    ['statements'],
    {
      statements: many(11, (i) => ({
        ...ALLOW,
        name: `s${i}`,
        resources: many(100, (n) => `secret:/s${n}`),
      })),
    },
  ],
  ...[
    (n: number) => `secret:/MARKER/*/s${n}`,
    (n: number) => `secret:/MARKER${n}*`,
    (n: number) => `secret:/*/s${n}/**`,
  ].map((starred): [readonly string[], Record<string, unknown>] => [
    ['statements'],
    {
      statements: [
        { ...ALLOW, resources: many(100, starred) },
        { ...ALLOW, name: 's', resources: ['secret:/*'] },
      ],
    },
  ]),
  ...[
    ...[
      'MARKER',
      '*',
      '',
      'secret',
      'secret:',
      'Secret:/a',
      'secret:MARKER',
      'secret:/',
      'secret:/a/',
      'secret://a',
    ],
    ...[
      'secret:/a//b',
      'secret:/../MARKER',
      'secret:/a/./b',
      'secret:/a/**/b',
      'secret:/a**',
      'secret:/a/***',
    ],
    ...[
      'secret:/MARKER b',
      'secret:/ä',
      'secret:/a%2fb',
      'secret:/a\\b',
      'secret:/a\0',
      'secret:/{a}',
      'secret:/a?',
    ],
    ...[`secret:/${'a'.repeat(129)}`, `secret:${'/a'.repeat(33)}`, `secret:/${'a/'.repeat(300)}a`],
  ].map((text): [readonly string[], Record<string, unknown>] => [
    at('resources', '0'),
    inStatement({ resources: [text] }),
  ]),
  ...['kms-key:', 'kms-key:a*', 'kms-key:**', 'kms-key:a/b', 'kms-key:MARKER b'].map(
    (text): [readonly string[], Record<string, unknown>] => [
      at('resources', '0'),
      inStatement({ permissions: ['KMS_KEY_USE'], resources: [text] }),
    ],
  ),
  ...['policy:', 'policy:a*', 'policy:**', 'policy:MARKER b'].map(
    (text): [readonly string[], Record<string, unknown>] => [
      at('resources', '0'),
      inStatement({ permissions: ['POLICY_READ'], resources: [text] }),
    ],
  ),
  [at('resources', '0'), inStatement({ permissions: ['AUDIT_READ'], resources: ['audit:MARKER'] })],
  [at('conditions'), withCondition({})],
  [at('conditions'), withCondition({ ip: [], time: [], claims: [] })],
  [at('conditions', 'ip', '0', 'cidrs'), withCondition(ipOf([]))],
  [at('conditions', 'ip', '0', 'cidrs', '0'), withCondition(ipOf(['10.0.0.1/8']))],
  [at('conditions', 'ip', '0', 'cidrs', '1'), withCondition(ipOf(['10.0.0.0/8', 'MARKER']))],
  [at('conditions', 'ip'), withCondition(ipOf(blocks(1_001)))],
  [
    ['statements'],
    {
      statements: many(2, (i) => ({ ...ALLOW, name: `s${i}`, conditions: ipOf(blocks(501)) })),
    },
  ],
  [at('conditions', 'time', '0', 'timeZone'), withCondition(timeOf({ timeZone: 'MARKER/Zone' }))],
  [at('conditions', 'time', '0', 'end'), withCondition(timeOf({ end: '09:00' }))],
  [at('conditions', 'time', '0', 'start'), withCondition(timeOf({ start: '24:00' }))],
  [at('conditions', 'time', '0', 'days', '1'), withCondition(timeOf({ days: ['MONDAY', 'MONDAY'] }))],
  [at('conditions', 'time'), withCondition({ time: many(101, () => timeOf({}).time[0]) })],
  ...['MARKER', '', '/MARKER~', `/${'a'.repeat(128)}`, '/a\n'].map(
    (key): [readonly string[], Record<string, unknown>] => [
      at('conditions', 'claims', '0', 'key'),
      withCondition({ claims: [{ key, value: 'x' }] }),
    ],
  ),
  [at('conditions', 'claims', '0', 'value'), withCondition({ claims: [{ key: '/a', value: '' }] })],
  [at('conditions', 'claims'), withCondition({ claims: many(17, () => ({ key: '/a', value: 'x' })) })],
  [['subjects', '0', 'issuer'], withCondition({ claims: [{ key: '/a', value: 'x' }] })],
  [['subjects', '0', 'issuer'], { subjects: [{ kind: 'SUBJECT', value: 'MARKER' }] }],
  [['subjects', '0', 'issuer'], { subjects: [{ kind: 'ROLE', value: 'a', issuer: '' }] }],
  [['subjects', '0', 'value'], { subjects: [{ kind: 'ROLE', value: '' }] }],
  [['subjects', '0', 'value'], { subjects: [{ kind: 'ROLE', value: 'MARKER\n' }] }],
  [['subjects', '0', 'value'], { subjects: [{ kind: 'ROLE', value: 'MARKER'.padEnd(129, 'x') }] }],
  [['subjects', '1'], { subjects: [TEAM, TEAM] }],
  [['subjects'], { subjects: many(101, (i) => ({ kind: 'ROLE', value: `r${i}` })) }],
])('bad input is refused at %j, never quoted and never recorded', async (field, input) => {
  const events = await eventsOf(async () => {
    const answer = await putRaw(input);
    expect(answer.data['putPolicy']).toMatchObject({ code: 'INVALID_INPUT', field: ['input', ...field] });
    expect(answer.text).not.toContain('MARKER');
  });
  expect(events).toEqual([]);
});

test('a policy holds 100 patterns with a star, and besides as many names and subtrees as there are resources', async () => {
  const resources = (of: (n: number) => string) => many(100, of);
  const statements = [
    { ...ALLOW, name: 'stars', resources: resources((n) => `secret:/a/*-${n}/b`) },
    { ...ALLOW, name: 'names', resources: resources((n) => `secret:/a/${n}`) },
    { ...ALLOW, name: 'below', resources: resources((n) => `secret:/a/${n}/**`) },
    { ...ALLOW, name: 'key', permissions: ['KMS_KEY_READ' as const], resources: ['kms-key:*'] },
    { ...ALLOW, name: 'all', resources: ['secret:/**'] },
  ];
  expect(await put({ statements })).toMatchObject({ __typename: 'PolicyPayload' });
});

test.each([
  ...['strongroom:admin', 'STRONGROOM:ADMIN', 'strongroom:adm1n', 'str0ngroom:admin', 'stroŋgroom:admin'],
  ...[
    'strongroom:admin ',
    ' strongroom:admin',
    'strongroom：admin',
    'strongroom:аdmin',
    'strongroom:admin\u200d',
  ],
  ...['secrets:readaccess', 'secrets:ReadAccess\0', 'kms:Fu1lAccess', 'audit:ReadAccess'],
])(
  'no policy can be written under what is or looks like a built-in name: %j (CVE-2025-5999, CVE-2025-54996, CVE-2025-64761)',
  async (name) => {
    for (const caller of [{}, { project: 'payments' }]) {
      expect(
        (await putRaw({ name }, { roles: ['strongroom:admin'], ...caller })).data['putPolicy'],
      ).toMatchObject({
        ...{ code: 'INVALID_INPUT', field: ['input', 'name'] },
      });
    }
  },
);

test('a name that overlaps another by case or look-alike characters is refused, in the project of its organisation too', async () => {
  const unique = randomUUID().slice(0, 8);
  const name = `Olm-10-${unique}`;
  expect(await put({ name })).toMatchObject({ policy: { name } });
  const project = { roles: ['strongroom:admin'], project: 'payments' };
  for (const other of [name.toUpperCase(), `0lm-10-${unique}`, `o1rn-io-${unique}`]) {
    for (const caller of [undefined, project]) {
      expect(await put({ name: other }, caller)).toMatchObject({
        code: 'INVALID_INPUT',
        field: ['input', 'name'],
      });
    }
  }
  expect(await put({ name }, project)).toMatchObject({ code: 'INVALID_INPUT', field: ['input', 'name'] });
  expect(await put({ name }, { roles: ['strongroom:admin'], organisation: 'globex' })).toMatchObject({
    policy: { name },
  });
});

test('the policies of a scope have at most 2 MiB in all; another scope, and making one smaller, are let through', async () => {
  const caller = { roles: ['strongroom:admin'], project: 'crowded' };
  const long = 'x'.repeat(120);
  const large = Array.from({ length: 10 }, (_, s) => ({
    ...{ ...ALLOW, name: `s${s}`, effect: 'DENY' as const },
    resources: Array.from({ length: 100 }, (_, r) => `secret:/${long}/${long}/${long}/${long}/${s}-${r}`),
  }));
  const names = [1, 2, 3, 4].map(() => freshName());
  for (const name of names) {
    expect(await put({ name, statements: large }, caller)).toMatchObject({ __typename: 'PolicyPayload' });
  }
  expect(await put({ statements: large }, caller)).toMatchObject({
    ...{ code: 'INVALID_INPUT', field: ['input', 'statements'] },
  });
  expect(await put({ name: names[0], statements: large.slice(1) }, caller)).toMatchObject({
    __typename: 'PolicyPayload',
  });
  expect(await put({ statements: large })).toMatchObject({ __typename: 'PolicyPayload' });
});

test('nobody grants what they do not hold, and is told which right by its position', async () => {
  const own: Statement = { ...ALLOW, name: 'own', resources: ['secret:/own/**'] };
  const caller = await callerWith([WRITE, own]);
  const told = {
    ...{ code: 'ACCESS_DENIED', permission: 'SECRET_READ' },
    message: 'Statement 1 allows SECRET_READ on its resource 0, which you do not hold without condition.',
  };
  expect(await put({ statements: [own, ALLOW] }, caller)).toMatchObject(told);
  expect(await put({ statements: [own, ALLOW], dryRun: true }, caller)).toMatchObject(told);
  expect(await put({ statements: [own] }, caller)).toMatchObject({ __typename: 'PolicyPayload' });
  // Its own policy neither: each change is decided on what holds before it.
  const self = { kind: 'ROLE' as const, value: caller.roles?.[0] ?? '' };
  expect(await put({ statements: [ALLOW], subjects: [self] }, caller)).toMatchObject({
    code: 'ACCESS_DENIED',
  });
});

test('a DENY is not taken away, narrowed or unbound by who does not hold what it denies', async () => {
  const caller = await callerWith([WRITE]);
  const deny: Statement = { ...ALLOW, name: 'deny', effect: 'DENY' };
  const made = policy({ statements: [deny] });
  await put(made);
  const denied = { code: 'ACCESS_DENIED', permission: 'SECRET_READ' };
  for (const change of [
    { statements: [{ ...deny, resources: ['secret:/team/a/**'] }] },
    { statements: [{ ...deny, conditions: { ip: [{ effect: 'ALLOW' as const, cidrs: ['10.0.0.0/8'] }] } }] },
    { subjects: [{ kind: 'ROLE' as const, value: 'others' }] },
  ]) {
    expect(await put({ ...made, ...change }, caller)).toMatchObject(denied);
  }
  expect(await read(made.name)).toMatchObject({
    objectVersion: 1,
    statements: [{ resources: ['secret:/team/**'] }],
  });
  const kept = { ...made, statements: [{ ...deny, resources: ['secret:/**'] }] };
  expect(await put(kept, caller)).toMatchObject({ policy: { objectVersion: 2 } });
});

test('a policy that would take the last POLICY_WRITE from its author is refused with POLICY_LOCKOUT', async () => {
  const caller = await callerWith([WRITE]);
  const self = { kind: 'ROLE' as const, value: caller.roles?.[0] ?? '' };
  const lock: Statement = { ...WRITE, name: 'lock', effect: 'DENY' };
  const input = policy({ statements: [lock], subjects: [self] });
  for (const dryRun of [true, false]) {
    expect(await put({ ...input, dryRun }, caller)).toMatchObject({
      ...{ code: 'POLICY_LOCKOUT', field: ['input', 'statements'] },
    });
  }
  expect(await read(input.name)).toBeNull();
  const partly = policy({ statements: [{ ...lock, resources: ['policy:other'] }], subjects: [self] });
  expect(await put(partly, caller)).toMatchObject({ __typename: 'PolicyPayload' });
});

test('a change with another expected objectVersion is a conflict that tells the actual one, 0 for none', async () => {
  const made = policy();
  expect(await put({ ...made, expectedObjectVersion: 3 })).toMatchObject({
    code: 'CONFLICT',
    expected: 3,
    actual: 0,
  });
  expect(await put({ ...made, expectedObjectVersion: 0 })).toMatchObject({ policy: { objectVersion: 1 } });
  expect(await put({ ...made, expectedObjectVersion: 0 })).toMatchObject({
    code: 'CONFLICT',
    expected: 0,
    actual: 1,
  });
  const answers = await Promise.all(many(5, () => put({ ...made, expectedObjectVersion: 1 })));
  expect(answers.filter((answer) => answer?.__typename === 'PolicyPayload')).toHaveLength(1);
  expect(await read(made.name)).toMatchObject({ objectVersion: 2 });
});

test('concurrent creations under names that look alike make one policy', async () => {
  const id = randomUUID().slice(0, 8);
  const answers = await Promise.all(
    ['Race', 'race', 'RACE', 'rAce'].map((name) => put({ name: `${name}-${id}` })),
  );
  expect(answers.filter((answer) => answer?.__typename === 'PolicyPayload')).toHaveLength(1);
});

test('a dry run answers what a real one would, and saves nothing', async () => {
  const made = policy();
  expect(await put({ ...made, dryRun: true })).toMatchObject({
    policy: { name: made.name, objectVersion: 1 },
  });
  expect(await read(made.name)).toBeNull();
  await put(made);
  const changed = { ...made, description: 'changed', dryRun: true };
  expect(await put(changed)).toMatchObject({ policy: { description: 'changed', objectVersion: 2 } });
  expect(await read(made.name)).toMatchObject({ description: null, objectVersion: 1 });
});

test('what is written is what is read, and replaces the policy as a whole', async () => {
  const full = policy({
    description: 'All of it.',
    statements: [
      {
        ...ALLOW,
        conditions: {
          ip: [{ effect: 'ALLOW', cidrs: ['10.0.0.0/8', '2001:db8::/32'] }],
          time: [
            { effect: 'DENY', days: ['SUNDAY'], start: '22:00', end: '06:00', timeZone: 'Europe/Amsterdam' },
          ],
          claims: [{ key: '/ref', value: 'main' }],
        },
      },
      { ...WRITE, name: 'two', effect: 'DENY', resources: ['policy:x', 'policy:*'] },
    ],
    subjects: [
      { kind: 'ROLE', value: 'тим *', issuer: 'https://ci.example' },
      { kind: 'SUBJECT', value: 'repo:a/b', issuer: 'https://ci.example' },
    ],
  });
  await put(full);
  expect(await read(full.name)).toMatchObject({
    ...full,
    builtIn: false,
    project: null,
    region: 'local-1',
  });
  expect(await put({ name: full.name })).toMatchObject({ __typename: 'PolicyPayload' });
  expect(await read(full.name)).toMatchObject({
    description: null,
    objectVersion: 2,
    statements: [{ name: 'read', conditions: null }],
  });
});

test('an organisation’s policy holds in its projects, a project’s in that project alone, and neither elsewhere', async () => {
  const secretRead = async (path: string, caller: TestCaller) =>
    (await app.gql(doc.EXPLAIN, { input: { permission: 'SECRET_READ', resource: `secret:${path}` } }, caller))
      .data.explainAccess?.allowed;
  const everywhere = freshName('role');
  const here = freshName('role');
  await put({ subjects: [{ kind: 'ROLE', value: everywhere }] });
  await put(
    { subjects: [{ kind: 'ROLE', value: here }] },
    { roles: ['strongroom:admin'], project: 'payments' },
  );
  const scopes = [{}, { project: 'payments' }, { project: 'billing' }, { organisation: 'globex' }];
  const allowed = (role: string) =>
    Promise.all(scopes.map((scope) => secretRead('/team/a', { roles: [role], ...scope })));
  expect(await allowed(everywhere)).toEqual([true, true, true, false]);
  expect(await allowed(here)).toEqual([false, true, false, false]);
});

test('a put is one event with its outcome, a dry run says so, and no event holds what the policy says', async () => {
  const made = policy({ description: 'MARKER' });
  const ok = await eventsOf(() => put(made));
  expect(ok).toMatchObject([
    {
      ...{ action: 'policy.put', outcome: 'SUCCESS', resource_type: 'policy', resource: made.name },
      details: { objectVersion: '1', statements: '1', subjects: '1' },
    },
  ]);
  expect(JSON.stringify(ok)).not.toContain('MARKER');
  expect(await eventsOf(() => put({ ...made, dryRun: true }))).toMatchObject([
    { action: 'policy.put', outcome: 'SUCCESS', details: { dryRun: 'true' } },
  ]);
  expect(await eventsOf(() => put(made, { roles: [] }))).toMatchObject([
    { outcome: 'DENIED', error_code: 'ACCESS_DENIED', details: { permission: 'POLICY_WRITE' } },
  ]);
  expect(await eventsOf(() => put({ ...made, expectedObjectVersion: 9 }))).toMatchObject([
    { outcome: 'FAILED', error_code: 'CONFLICT' },
  ]);
  const author = await callerWith([WRITE]);
  expect(await eventsOf(() => put({ name: freshName() }, author))).toMatchObject([
    { outcome: 'DENIED', details: { permission: 'SECRET_READ', reason: 'GRANTS_MORE_THAN_HELD' } },
  ]);
});
