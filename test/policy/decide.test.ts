import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decide } from '../../src/policy/decide.ts';
import { PERMISSION_NAMES } from '../../src/policy/permission.ts';
import type { Policy, PolicySubject, Resource, Statement } from '../../src/policy/policy.ts';
import type { Principal } from '../../src/policy/principal.ts';

const principal: Principal = {
  subject: 'alice',
  issuer: 'https://one.example',
  organisation: 'acme',
  project: '',
  roles: ['deployer', 'reader'],
  claims: {},
  expiresAt: new Date('2030-01-01T00:00:00Z'),
};
const db: Resource = { kind: 'secret', name: '/app/db' };
const role = (value: string, issuer: string | null = null): PolicySubject => ({
  kind: 'ROLE',
  value,
  issuer,
});
const subject = (value: string, issuer: string | null): PolicySubject => ({ kind: 'SUBJECT', value, issuer });
const allow: Statement = {
  name: 'a',
  effect: 'ALLOW',
  permissions: ['SECRET_READ'],
  resources: ['secret:/app/**'],
  conditions: null,
};
const deny: Statement = { ...allow, name: 'd', effect: 'DENY' };
const policy = (name: string, statements: readonly Statement[], ...subjects: PolicySubject[]): Policy => ({
  name,
  builtIn: false,
  statements,
  subjects,
});
const decideWith = (...policies: Policy[]) =>
  decide(principal, 'SECRET_READ', db, {
    policies,
    clientAddress: null,
    at: new Date('2029-01-01T00:00:00Z'),
  });

describe('decide', () => {
  it('refuses where there is no policy, and names no statement', () => {
    expect(decideWith()).toEqual({ allowed: false, reason: 'NO_STATEMENT_ALLOWS', matched: [] });
  });

  it.each([
    ['binds nobody', policy('p', [allow])],
    ['has no statement', policy('p', [], role('reader'))],
    ['binds another role', policy('p', [allow], role('writer'))],
    ['binds the role in other letters', policy('p', [allow], role('Reader'))],
    ['binds a role of which this is a part', policy('p', [allow], role('readers'))],
    ['binds an empty role', policy('p', [allow], role(''))],
    ['binds a pattern as a role', policy('p', [allow], role('*'))],
    ['binds the role from another issuer', policy('p', [allow], role('reader', 'https://two.example'))],
    ['binds the role from no issuer', policy('p', [allow], role('reader', ''))],
    ['binds the subject of another issuer', policy('p', [allow], subject('alice', 'https://two.example'))],
    ['binds another subject', policy('p', [allow], subject('bob', 'https://one.example'))],
    ['binds a subject named like the role', policy('p', [allow], subject('reader', 'https://one.example'))],
    ['binds a role named like the subject', policy('p', [allow], role('alice'))],
    ['allows another permission', policy('p', [{ ...allow, permissions: ['SECRET_LIST'] }], role('reader'))],
    ['allows no permission', policy('p', [{ ...allow, permissions: [] }], role('reader'))],
    ['allows it elsewhere', policy('p', [{ ...allow, resources: ['secret:/other/**'] }], role('reader'))],
    ['allows it nowhere', policy('p', [{ ...allow, resources: [] }], role('reader'))],
    ['allows it on keys', policy('p', [{ ...allow, resources: ['kms-key:*'] }], role('reader'))],
  ])('refuses where the only policy %s', (_what, only) => {
    expect(decideWith(only)).toEqual({ allowed: false, reason: 'NO_STATEMENT_ALLOWS', matched: [] });
  });

  it('refuses where one statement denies, however many allow and wherever it stands', () => {
    const allowing = policy('allowing', [allow, allow], role('reader'));
    const denying = policy('denying', [deny], role('deployer'));
    const expected = {
      allowed: false,
      reason: 'DENIED_BY_STATEMENT',
      matched: [{ policy: 'denying', statement: deny }],
    };
    expect(decideWith(allowing, denying)).toEqual(expected);
    expect(decideWith(denying, allowing, allowing)).toEqual(expected);
  });

  it('lets a DENY count only for whom and what it names', () => {
    const allowing = policy('allowing', [allow], role('reader'));
    const others = [
      policy('p', [deny], role('writer')),
      policy('p', [deny], role('reader', 'https://two.example')),
      policy('p', [{ ...deny, permissions: ['SECRET_LIST'] }], role('reader')),
      policy('p', [{ ...deny, resources: ['secret:/app/db/**'] }], role('reader')),
    ];
    expect(decideWith(allowing, ...others).allowed).toBe(true);
  });

  it.each([
    ['a role', role('reader')],
    ['a role from its issuer', role('reader', 'https://one.example')],
    ['a subject of its issuer', subject('alice', 'https://one.example')],
  ])('allows %s that a policy binds, and names the statement', (_what, bound) => {
    expect(decideWith(policy('p', [allow], role('nobody'), bound))).toEqual({
      allowed: true,
      reason: 'ALLOWED_BY_STATEMENT',
      matched: [{ policy: 'p', statement: allow }],
    });
  });

  it('allows exactly where one statement allows and none denies, in any order (CVE-2021-43998, CVE-2021-42135)', () => {
    const statement = fc.record({
      name: fc.constant('s'),
      effect: fc.constantFrom('ALLOW' as const, 'DENY' as const),
      permissions: fc.subarray([...PERMISSION_NAMES].slice(0, 3)),
      resources: fc.subarray(['secret:/**', 'secret:/app/db', 'secret:/app/*', 'secret:/x', 'audit:*']),
      conditions: fc.constant(null),
    });
    const policies = fc.array(
      fc.record({
        name: fc.constantFrom('one', 'two'),
        builtIn: fc.constant(false),
        statements: fc.array(statement, { maxLength: 3 }),
        subjects: fc.subarray([role('reader'), role('writer'), subject('alice', 'https://one.example')]),
      }),
      { maxLength: 4 },
    );
    const HITS = ['secret:/**', 'secret:/app/db', 'secret:/app/*'];
    fc.assert(
      fc.property(policies, (list) => {
        const effects = list
          .filter(({ subjects }) => subjects.some(({ value }) => value !== 'writer'))
          .flatMap(({ statements }) => statements)
          .filter(({ permissions }) => permissions.includes('SECRET_READ'))
          .filter(({ resources }) => resources.some((resource) => HITS.includes(resource)))
          .map(({ effect }) => effect);
        const expected = effects.includes('ALLOW') && !effects.includes('DENY');
        expect(decideWith(...list).allowed).toBe(expected);
        expect(decideWith(...list.toReversed()).allowed).toBe(expected);
      }),
      { numRuns: 1000 },
    );
  });
});
