import { describe, expect, it } from 'vitest';
import { BUILT_IN_POLICIES } from '../../src/policy/built-in-policies.ts';
import { decide } from '../../src/policy/decide.ts';
import { type Permission, PERMISSION_NAMES } from '../../src/policy/permission.ts';
import type { Policy, Resource } from '../../src/policy/policy.ts';
import type { Principal } from '../../src/policy/principal.ts';

/** Written out: a new permission is in none of them until somebody decides that it is. */
const SECRET_ALL: readonly Permission[] = [
  'SECRET_CREATE',
  'SECRET_READ',
  'SECRET_LIST',
  'SECRET_UPDATE',
  'SECRET_GET_VALUE',
  'SECRET_PUT_VALUE',
  'SECRET_DELETE',
  'SECRET_PURGE',
];
const KMS_ALL: readonly Permission[] = [
  'KMS_KEY_CREATE',
  'KMS_KEY_READ',
  'KMS_KEY_LIST',
  'KMS_KEY_UPDATE',
  'KMS_KEY_USE',
  'KMS_KEY_DELETE',
];
const MATRIX: Readonly<Record<string, readonly Permission[]>> = {
  'strongroom:admin': [...SECRET_ALL, ...KMS_ALL, 'POLICY_READ', 'POLICY_WRITE', 'AUDIT_READ'],
  'secrets:ReadAccess': ['SECRET_READ', 'SECRET_LIST'],
  'secrets:ValueAccess': ['SECRET_READ', 'SECRET_LIST', 'SECRET_GET_VALUE', 'KMS_KEY_USE'],
  'secrets:FullAccess': [...SECRET_ALL, 'KMS_KEY_USE', 'KMS_KEY_READ', 'KMS_KEY_LIST'],
  'kms:ReadAccess': ['KMS_KEY_READ', 'KMS_KEY_LIST'],
  'kms:FullAccess': KMS_ALL,
  'audit:ReadAccess': ['AUDIT_READ'],
};
const ROLES = Object.keys(MATRIX);

function resourceOf(permission: Permission): Resource {
  if (permission.startsWith('SECRET_')) return { kind: 'secret', name: '/app/db' };
  if (permission.startsWith('KMS_KEY_')) return { kind: 'kms-key', name: 'default' };
  return permission === 'AUDIT_READ' ? { kind: 'audit', name: '' } : { kind: 'policy', name: 'p' };
}

const withRoles = (...roles: string[]): Principal => ({
  subject: 'alice',
  issuer: 'https://one.example',
  organisation: 'acme',
  project: '',
  roles,
  claims: {},
  expiresAt: new Date('2030-01-01T00:00:00Z'),
});
const factsWith = (policies: readonly Policy[]) => ({
  policies,
  clientAddress: null,
  at: new Date('2029-01-01T00:00:00Z'),
});
const held = (principal: Principal, policies: readonly Policy[] = BUILT_IN_POLICIES) =>
  PERMISSION_NAMES.filter((name) => decide(principal, name, resourceOf(name), factsWith(policies)).allowed);
const sorted = (permissions: readonly Permission[]) => [...permissions].sort();

describe('the built-in policies', () => {
  it('are these, each marked as built in and bound to the role of its name alone', () => {
    expect(BUILT_IN_POLICIES.map(({ name, builtIn, subjects }) => ({ name, builtIn, subjects }))).toEqual(
      ROLES.map((name) => ({ name, builtIn: true, subjects: [{ kind: 'ROLE', value: name, issuer: null }] })),
    );
  });

  it('give nothing without a role', () => {
    expect(held(withRoles())).toEqual([]);
  });

  it.each([
    '',
    'admin',
    '*',
    'strongroom:*',
    'strongroom',
    'root',
    'secrets:WriteAccess',
    '__proto__',
    'constructor',
  ])('give nothing to the unknown role "%s"', (role) => {
    expect(held(withRoles(role))).toEqual([]);
  });

  it.each(ROLES)(
    'give nothing to what only looks like %s (CVE-2025-5999, CVE-2025-54996, CVE-2025-64761)',
    (role) => {
      const variants = [
        role.toUpperCase(),
        role
          .replace(/[A-Z]/g, (letter) => letter.toLowerCase())
          .replace(/^./, (letter) => letter.toUpperCase()),
        ` ${role}`,
        `${role} `,
        `${role}\n`,
        `${role}\0`,
        role.replace(':', '\uff1a'),
        role.replace(':', '\ua789'),
        role.replace(':', ': '),
        role.replace('a', '\u0430'),
        role.replace('e', '\u0435').replace('o', '\u043e').replace('s', '\u0455'),
        role.replace('s', '\u017f').replace('k', '\u212a'),
        `${role}\u200b`,
        role.slice(0, -1),
        `${role}x`,
        `${role},x`,
      ].filter((variant) => variant !== role);
      for (const variant of variants) expect(held(withRoles(variant)), JSON.stringify(variant)).toEqual([]);
      expect(held(withRoles(...variants))).toEqual([]);
    },
  );

  it('give nothing to a subject named like a role', () => {
    expect(held({ ...withRoles(), subject: 'strongroom:admin' })).toEqual([]);
  });

  it.each(Object.entries(MATRIX))('give %s its permissions and no other', (role, permissions) => {
    expect(sorted(held(withRoles(role)))).toEqual(sorted(permissions));
  });

  it('give two roles what either has', () => {
    expect(sorted(held(withRoles('secrets:ReadAccess', 'audit:ReadAccess', 'unknown')))).toEqual(
      sorted(['SECRET_READ', 'SECRET_LIST', 'AUDIT_READ']),
    );
  });

  it('reach every path, key and policy', () => {
    const policies = BUILT_IN_POLICIES;
    const admin = withRoles('strongroom:admin');
    for (const name of ['/a', '/a/b', '/a'.repeat(32), '/-', '/*']) {
      expect(decide(admin, 'SECRET_READ', { kind: 'secret', name }, factsWith(policies)).allowed).toBe(true);
    }
    expect(
      decide(admin, 'KMS_KEY_USE', { kind: 'kms-key', name: 'a.b-c' }, factsWith(policies)).allowed,
    ).toBe(true);
  });

  it('yield to a DENY, the administrator’s too', () => {
    const resources = ['secret:/app/**'];
    const denying: Policy = {
      name: 'deny',
      builtIn: false,
      statements: [
        { name: 'd', effect: 'DENY', permissions: ['SECRET_GET_VALUE'], resources, conditions: null },
      ],
      subjects: [{ kind: 'SUBJECT', value: 'alice', issuer: 'https://one.example' }],
    };
    for (const policies of [
      [...BUILT_IN_POLICIES, denying],
      [denying, ...BUILT_IN_POLICIES],
    ]) {
      expect(sorted(held(withRoles('strongroom:admin'), policies))).toEqual(
        sorted(PERMISSION_NAMES.filter((name) => name !== 'SECRET_GET_VALUE')),
      );
    }
  });

  it('do not reach a role that is bound to another issuer', () => {
    const bound = BUILT_IN_POLICIES.map((policy) => ({
      ...policy,
      subjects: policy.subjects.map((subject) => ({ ...subject, issuer: 'https://two.example' })),
    }));
    expect(held(withRoles('strongroom:admin'), bound)).toEqual([]);
    expect(held({ ...withRoles('strongroom:admin'), issuer: 'https://two.example' }, bound)).toEqual(
      PERMISSION_NAMES,
    );
  });
});
