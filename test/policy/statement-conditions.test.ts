import { describe, expect, it } from 'vitest';
import type { Effect } from '../../src/policy/conditions/access-policy.ts';
import { decide, failedConditions } from '../../src/policy/decide.ts';
import type { Policy, Statement, StatementConditions } from '../../src/policy/policy.ts';

const EVERYTHING: StatementConditions = { ip: [], time: [], claims: [] };
const IP: StatementConditions = { ...EVERYTHING, ip: [{ effect: 'ALLOW', cidrs: ['10.0.0.0/8'] }] };
const CLAIM: StatementConditions = { ...EVERYTHING, claims: [{ pointer: '/a/b', value: 'x' }] };
const resource = { kind: 'secret', name: '/a' } as const;

function policyWith(
  effect: Effect,
  conditions: StatementConditions | null,
  resources = ['secret:/a'],
): Policy {
  const statement: Statement = { name: 's', effect, permissions: ['SECRET_READ'], resources, conditions };
  return {
    name: 'p',
    builtIn: false,
    statements: [statement],
    subjects: [{ kind: 'ROLE', value: 'r', issuer: null }],
  };
}
const asking = (claims: Record<string, unknown> | null = {}) => ({
  subject: 's',
  issuer: 'i',
  roles: ['r'],
  claims,
});
const facts = (policy: Policy, clientAddress: string | null = null) => ({
  ...{ policies: [policy], clientAddress, at: new Date('2026-03-02T12:00:00Z') },
});
/** Whether the statement counts. */
const counts = (
  policy: Policy,
  clientAddress: string | null = null,
  claims: Record<string, unknown> | null = {},
) => decide(asking(claims), 'SECRET_READ', resource, facts(policy, clientAddress)).matched.length > 0;

/** What a later release, or a hand in the database, may have left there. */
const UNREADABLE = [
  {
    ...EVERYTHING,
    time: [{ effect: 'ALLOW', days: [], start: '09:00', end: '17:00', timeZone: 'Mars/Base' }],
  },
  { ...EVERYTHING, ip: [{ effect: 'ALLOW', cidrs: ['10.0.0.1/8'] }] },
  { ...EVERYTHING, ip: [{ effect: 'PERHAPS', cidrs: ['10.0.0.0/8'] }] },
  { ...EVERYTHING, ip: 'everywhere' },
  { ...EVERYTHING, claims: [{ pointer: 'no pointer', value: 'x' }] },
  { ...EVERYTHING, claims: [{ pointer: '/a', value: 7 }] },
  { ...EVERYTHING, device: [{ managed: true }] },
  { ip: [], time: [] },
  {},
  'never',
] as unknown as StatementConditions[];

describe('in doubt a statement refuses:', () => {
  it.each([null, 'garbage', '010.0.0.1', '10.0.0.1 ', '::ffff:10.0.0.1/128'])(
    'with the address %j an ALLOW with ip conditions does not count and a DENY does',
    (address) => {
      expect(counts(policyWith('ALLOW', IP), address)).toBe(false);
      expect(counts(policyWith('DENY', IP), address)).toBe(true);
    },
  );

  it('with unknown claims an ALLOW with conditions on them does not count and a DENY does', () => {
    expect(counts(policyWith('ALLOW', CLAIM), null, null)).toBe(false);
    expect(counts(policyWith('DENY', CLAIM), null, null)).toBe(true);
    expect(
      failedConditions(asking(null), 'SECRET_READ', resource, facts(policyWith('ALLOW', CLAIM))),
    ).toEqual(['policy p, statement s (ALLOW): claims[0] unknown']);
  });

  it.each(UNREADABLE.map((conditions) => [conditions]))(
    'conditions that this release does not read make an ALLOW never count and a DENY always: %j',
    (conditions) => {
      const allow = policyWith('ALLOW', conditions);
      expect(counts(allow, '10.0.0.1')).toBe(false);
      expect(counts(policyWith('DENY', conditions), '10.0.0.1')).toBe(true);
      expect(failedConditions(asking(), 'SECRET_READ', resource, facts(allow))).toEqual([
        'policy p, statement s (ALLOW): conditions unreadable',
      ]);
    },
  );

  it('a resource that this release does not read names nothing in an ALLOW and everything in a DENY', () => {
    for (const unreadable of ['vault:/a', 'audit:/a', '', 'secret']) {
      expect(counts(policyWith('ALLOW', null, [unreadable]))).toBe(false);
      expect(counts(policyWith('DENY', null, [unreadable]))).toBe(true);
    }
  });
});

describe('a claim holds', () => {
  it.each([
    [{}],
    [{ a: 'x' }],
    [{ a: { b: 'y' } }],
    [{ a: { b: 'xx' } }],
    [{ a: { b: 'X' } }],
    [{ a: { b: ' x' } }],
    [{ a: { b: '*' } }],
    [{ a: { b: ['y'] } }],
    [{ a: { b: [['x']] } }],
    [{ a: { b: { x: true } } }],
    [{ a: { b: null } }],
    [{ '/a/b': 'x' }],
  ])('not in %j', (claims) => {
    expect(counts(policyWith('ALLOW', CLAIM), null, claims)).toBe(false);
  });

  it.each([[{ a: { b: 'x' } }], [{ a: { b: ['y', 'x'] } }]])('in %j', (claims) => {
    expect(counts(policyWith('ALLOW', CLAIM), null, claims)).toBe(true);
  });

  it('never by what JavaScript adds to objects', () => {
    const pointer = { ...EVERYTHING, claims: [{ pointer: '/constructor/name', value: 'Object' }] };
    expect(counts(policyWith('ALLOW', pointer))).toBe(false);
  });

  it('only exactly: a pattern in a policy or in a token is a text (GHSA-59w7-v8rr-pr4p)', () => {
    const star = { ...EVERYTHING, claims: [{ pointer: '/a', value: '*' }] };
    expect(counts(policyWith('ALLOW', star), null, { a: 'x' })).toBe(false);
    expect(counts(policyWith('ALLOW', star), null, { a: '*' })).toBe(true);
  });
});
