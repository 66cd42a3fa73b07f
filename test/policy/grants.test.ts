import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BUILT_IN_POLICIES } from '../../src/policy/built-in-policies.ts';
import { decide } from '../../src/policy/decide.ts';
import { excessOf, mayWriteAPolicy, NO_CONTENT, type PolicyContent } from '../../src/policy/grants.ts';
import { PERMISSION_NAMES, type Permission } from '../../src/policy/permission.ts';
import type { Policy, PolicySubject, Statement, StatementConditions } from '../../src/policy/policy.ts';

const author = { subject: 'alice', issuer: 'https://one.example', roles: ['author'], claims: {} };
const role = (value: string, issuer: string | null = null): PolicySubject => ({
  kind: 'ROLE',
  value,
  issuer,
});
const office: StatementConditions = {
  ip: [],
  time: [{ effect: 'ALLOW', days: [], start: '09:00', end: '17:00', timeZone: 'UTC' }],
  claims: [],
};
const statement = (
  effect: 'ALLOW' | 'DENY',
  permissions: readonly Permission[],
  resources: readonly string[],
  conditions: StatementConditions | null = null,
): Statement => ({ name: 's', effect, permissions, resources, conditions });
const allow = (...resources: string[]) => statement('ALLOW', ['SECRET_READ'], resources);
const deny = (...resources: string[]) => statement('DENY', ['SECRET_READ'], resources);
const policy = (subjects: readonly PolicySubject[], ...statements: Statement[]): Policy => ({
  ...{ name: 'p', builtIn: false, statements, subjects },
});
const held = (...statements: Statement[]) => [policy([role('author')], ...statements)];
const content = (...statements: Statement[]): PolicyContent => ({ statements, subjects: [role('team')] });
const excess = (policies: readonly Policy[], after: PolicyContent, before: PolicyContent = NO_CONTENT) =>
  excessOf(author, policies, before, after);

describe('a change gives more than its author holds when', () => {
  it.each([
    ['the author holds nothing', []],
    ['the ALLOW lies elsewhere', held(allow('secret:/other/**'))],
    ['the ALLOW covers a part', held(allow('secret:/team/a/**'))],
    ['the ALLOW covers one level', held(allow('secret:/team/*'))],
    ['only two ALLOWs together cover it', held(allow('secret:/team/*'), allow('secret:/team/*/**'))],
    ['the ALLOW is one of another permission', held(statement('ALLOW', ['SECRET_LIST'], ['secret:/**']))],
    ['the ALLOW has conditions', held(statement('ALLOW', ['SECRET_READ'], ['secret:/**'], office))],
    ['the ALLOW binds another role', [policy([role('other')], allow('secret:/**'))]],
    [
      'the ALLOW binds the role of another issuer',
      [policy([role('author', 'https://two.example')], allow('secret:/**'))],
    ],
    ['a DENY of the author covers it', held(allow('secret:/**'), deny('secret:/**'))],
    ['a DENY of the author covers a part', held(allow('secret:/**'), deny('secret:/team/hr/**'))],
    ['a DENY of the author crosses it', held(allow('secret:/**'), deny('secret:/*/hr'))],
    [
      'a DENY with conditions crosses it',
      held(allow('secret:/**'), statement('DENY', ['SECRET_READ'], ['secret:/team/x'], office)),
    ],
  ])('%s', (_why, policies) => {
    expect(excess(policies, content(allow('secret:/team/**')))?.permission).toBe('SECRET_READ');
    // The same over what a DENY that is taken away had covered.
    expect(excess(policies, NO_CONTENT, content(deny('secret:/team/**')))?.permission).toBe('SECRET_READ');
  });

  it('one of several permissions or resources is not held, and says which by its position', () => {
    const policies = held(
      statement('ALLOW', ['SECRET_READ', 'KMS_KEY_USE'], ['secret:/a/**', 'kms-key:one']),
    );
    const wide = statement('ALLOW', ['SECRET_READ', 'KMS_KEY_USE'], ['secret:/a/b', 'kms-key:*']);
    expect(excess(policies, content(allow('secret:/a/x'), wide))).toEqual({
      permission: 'KMS_KEY_USE',
      message: 'Statement 1 allows KMS_KEY_USE on its resource 1, which you do not hold without condition.',
    });
  });

  it.each([
    ['is left out', content(allow('secret:/own/**'))],
    ['becomes narrower', content(deny('secret:/hr/pay/**'))],
    ['becomes two that do not cover it', content(deny('secret:/hr/*'), deny('secret:/hr/*/**'))],
    ['gets conditions', content(statement('DENY', ['SECRET_READ'], ['secret:/hr/**'], office))],
    ['loses a permission', content(statement('DENY', ['SECRET_LIST'], ['secret:/hr/**']))],
    ['becomes an ALLOW', content(allow('secret:/hr/**'))],
    ['binds others', { ...content(deny('secret:/hr/**')), subjects: [role('others')] }],
    [
      'binds the role of one issuer only',
      { ...content(deny('secret:/hr/**')), subjects: [role('team', 'https://one.example')] },
    ],
    ['binds nobody', { ...content(deny('secret:/hr/**')), subjects: [] }],
  ])('a DENY that it does not hold over %s', (_what, after) => {
    const policies = held(allow('secret:/own/**'));
    expect(excess(policies, after, content(deny('secret:/hr/**')))).not.toBeNull();
  });
});

describe('a change gives no more than its author holds when', () => {
  it.each([
    ['the ALLOW is the author’s', allow('secret:/team/**')],
    ['it is narrower', allow('secret:/team/a', 'secret:/team/*/b', 'secret:/team/a/**')],
    [
      'it has conditions that the author’s has not',
      statement('ALLOW', ['SECRET_READ'], ['secret:/team/x'], office),
    ],
    ['it is a DENY, wherever', deny('secret:/hr/**')],
  ])('%s', (_why, given) => {
    const policies = held(allow('secret:/team/**'), deny('secret:/teams/**'));
    expect(excess(policies, content(given))).toBeNull();
  });

  it('it keeps a DENY or makes it wider, whoever wrote it', () => {
    const before = content(deny('secret:/hr/**'));
    for (const after of [
      before,
      content(deny('secret:/**')),
      content(deny('secret:/x', 'secret:/hr/**')),
      { ...before, subjects: [role('team'), role('others')] },
    ]) {
      expect(excess([], after, before)).toBeNull();
    }
    const conditioned = content(statement('DENY', ['SECRET_READ'], ['secret:/hr/**'], office));
    expect(excess([], before, conditioned)).toBeNull();
    expect(excess([], conditioned, conditioned)).toBeNull();
    expect(
      excess(
        [],
        { ...before, subjects: [role('team')] },
        { ...before, subjects: [role('team', 'https://one.example')] },
      ),
    ).toBeNull();
  });

  it('it takes away an ALLOW, or a DENY over what the author holds', () => {
    expect(excess([], NO_CONTENT, content(allow('secret:/**')))).toBeNull();
    expect(excess(held(allow('secret:/hr/**')), NO_CONTENT, content(deny('secret:/hr/**')))).toBeNull();
  });

  it('the built-in administrator gives anything', () => {
    const admin = { ...author, roles: ['strongroom:admin'] };
    const everything = statement('ALLOW', PERMISSION_NAMES, [
      'secret:/**',
      'kms-key:*',
      'policy:*',
      'audit:*',
    ]);
    expect(excessOf(admin, BUILT_IN_POLICIES, NO_CONTENT, content(everything))).toBeNull();
  });
});

it('a policy that would take seconds to compare with what binds its author is refused', () => {
  const every = PERMISSION_NAMES.filter((name) => name.startsWith('SECRET_'));
  const many = (name: string) => Array.from({ length: 1_000 }, (_, n) => `secret:/${name}${n}/**`);
  const mine = Array.from({ length: 5 }, (_, n) => statement('DENY', every, many(`mine${n}-`)));
  const policies = held(statement('ALLOW', every, ['secret:/**']), ...mine);
  expect(() => excess(policies, content(statement('ALLOW', every, many('new'))))).toThrow(/too many rights/);
  expect(
    excess(policies, content(statement('ALLOW', ['SECRET_READ'], many('new').slice(0, 900)))),
  ).toBeNull();
});

it('whoever is given rights by a change that was let through can do nothing that its author could not', () => {
  const resource = fc.constantFrom(
    'secret:/**',
    'secret:/a/**',
    'secret:/a',
    'secret:/*',
    'secret:/a/*',
    'secret:/*/b',
    'secret:/b*',
    'secret:/b/**',
  );
  const anyStatement = fc
    .tuple(
      fc.constantFrom('ALLOW' as const, 'ALLOW' as const, 'DENY' as const),
      fc.array(resource, { minLength: 1, maxLength: 2 }),
    )
    .map(([effect, resources]) => statement(effect, ['SECRET_READ'], resources));
  const names = ['/a', '/b', '/bc', '/x', '/a/a', '/a/b', '/x/b', '/b/x', '/a/b/c', '/x/y/z'];
  const facts = { clientAddress: null, at: new Date(0) };
  let passed = 0;
  fc.assert(
    fc.property(
      fc.array(anyStatement, { maxLength: 3 }),
      fc.array(anyStatement, { maxLength: 2 }),
      fc.array(anyStatement, { maxLength: 2 }),
      (own, old, next) => {
        const rest = held(...own);
        const before = content(...old);
        if (excess([...rest, policy([role('team')], ...old)], content(...next), before)) return;
        passed++;
        const can = (roles: string[], policies: readonly Policy[], name: string) =>
          decide({ ...author, roles }, 'SECRET_READ', { kind: 'secret', name }, { ...facts, policies })
            .allowed;
        for (const name of names) {
          const was = can(['team'], [policy([role('team')], ...old)], name);
          const is = can(['team'], [policy([role('team')], ...next)], name);
          if (is && !was) expect(can(['author'], rest, name)).toBe(true);
        }
      },
    ),
    { numRuns: 2_000 },
  );
  expect(passed).toBeGreaterThan(200);
});

describe('a right to write policies', () => {
  const facts = (policies: readonly Policy[]) => ({ policies, clientAddress: null, at: new Date(0) });
  const write = (effect: 'ALLOW' | 'DENY', ...resources: string[]) =>
    statement(effect, ['POLICY_WRITE'], resources);

  it.each([
    ['without an ALLOW', []],
    ['where a DENY covers all', held(write('ALLOW', 'policy:*'), write('DENY', 'policy:*'))],
    ['where a DENY covers the only name', held(write('ALLOW', 'policy:a'), write('DENY', 'policy:a'))],
    ['where it is another’s', [policy([role('other')], write('ALLOW', 'policy:*'))]],
  ])('is not left %s', (_why, policies) => {
    expect(mayWriteAPolicy(author, facts(policies))).toBe(false);
  });

  it.each([
    ['on all but some', held(write('ALLOW', 'policy:*'), write('DENY', 'policy:a'))],
    ['on one name', held(write('ALLOW', 'policy:a', 'policy:b'), write('DENY', 'policy:a'))],
  ])('is left %s', (_why, policies) => {
    expect(mayWriteAPolicy(author, facts(policies))).toBe(true);
  });
});
