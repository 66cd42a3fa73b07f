import { describe, expect, it } from 'vitest';
import { applicableStatements } from '../../src/policy/applicable-statements.ts';
import { decide } from '../../src/policy/decide.ts';
import type { Facts } from '../../src/policy/facts.ts';
import { listFilter } from '../../src/policy/list-filter.ts';
import type { Permission } from '../../src/policy/permission.ts';
import type { PolicySubject, Statement, StatementConditions } from '../../src/policy/policy.ts';
import { READER } from '../support/random-policies.ts';

const NONE: StatementConditions = { ip: [], time: [], claims: [] };
const OFFICE = { effect: 'ALLOW' as const, cidrs: ['10.0.0.0/8'] };
const facts = (
  conditions: StatementConditions | null,
  effect: Statement['effect'] = 'ALLOW',
  clientAddress: string | null = '10.1.2.3',
  subject: PolicySubject = { kind: 'ROLE', value: 'reader', issuer: null },
): Facts => ({
  policies: [
    {
      ...{ name: 'p', builtIn: false, subjects: [subject] },
      statements: [
        {
          ...{ name: 's', effect, conditions, resources: ['secret:/a/**'] },
          permissions: ['SECRET_LIST', 'SECRET_READ'],
        },
      ],
    },
  ],
  ...{ clientAddress, at: new Date('2027-01-01T12:00:00Z') },
});
/** The names of the statements about a permission that count. */
function names(given: Facts, permission: Permission = 'SECRET_READ'): string[] {
  const found = applicableStatements(READER, permission, given);
  return [...(found?.DENY ?? []), ...(found?.ALLOW ?? [])]
    .filter((statement) => found?.counts(statement))
    .map(({ matched }) => matched.statement.name);
}

describe('applicableStatements', () => {
  it.each([
    ['another role', { kind: 'ROLE', value: 'writer', issuer: null }],
    ['the role from another issuer', { kind: 'ROLE', value: 'reader', issuer: 'https://two.example' }],
    ['the subject of another issuer', { kind: 'SUBJECT', value: 'alice', issuer: 'https://two.example' }],
    ['a subject named like the role', { kind: 'SUBJECT', value: 'reader', issuer: null }],
  ] as const)('leaves out what binds %s', (_, subject) => {
    expect(names(facts(null, 'ALLOW', '10.1.2.3', subject))).toEqual([]);
  });

  it('leaves out what says nothing of the permission', () => {
    expect(names(facts(null), 'SECRET_CREATE')).toEqual([]);
    expect(names(facts(null))).toEqual(['s']);
  });

  it('leaves out an ALLOW and keeps a DENY for a client whose address is unknown', () => {
    const conditions = { ...NONE, ip: [OFFICE] };
    expect(names(facts(conditions, 'ALLOW', null))).toEqual([]);
    expect(names(facts(conditions, 'DENY', null))).toEqual(['s']);
    expect(names(facts(conditions, 'ALLOW', '192.0.2.1'))).toEqual([]);
    expect(names(facts(conditions, 'ALLOW', '10.1.2.3'))).toEqual(['s']);
  });

  it('counts a statement only while its claims and its times hold', () => {
    const claims = (value: string) => ({ ...NONE, claims: [{ pointer: '/branch', value }] });
    expect(names(facts(claims('other')))).toEqual([]);
    expect(names(facts(claims('main')))).toEqual(['s']);
    const at = (start: string, end: string) => ({
      ...NONE,
      time: [{ effect: 'ALLOW' as const, days: [], start, end, timeZone: 'UTC' }],
    });
    expect(names(facts(at('13:00', '14:00')))).toEqual([]);
    expect(names(facts(at('12:00', '13:00')))).toEqual(['s']);
  });

  it('is what lists and decisions go by alike: a condition that fails hides what it would have shown', () => {
    const shown = (given: Facts) => [
      decide(READER, 'SECRET_READ', { kind: 'secret', name: '/a/b' }, given).allowed,
      listFilter(READER, ['SECRET_LIST', 'SECRET_READ'], 'secret', given).length > 0,
    ];
    const conditions = { ...NONE, ip: [OFFICE] };
    expect(shown(facts(conditions, 'ALLOW', '192.0.2.1'))).toEqual([false, false]);
    expect(shown(facts(conditions, 'ALLOW', '10.1.2.3'))).toEqual([true, true]);
  });
});
