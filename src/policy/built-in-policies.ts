import { PERMISSION_NAMES, type Permission } from './permission.ts';
import type { Policy } from './policy.ts';

const SECRET_READ: readonly Permission[] = ['SECRET_READ', 'SECRET_LIST'];
const KMS_READ: readonly Permission[] = ['KMS_KEY_READ', 'KMS_KEY_LIST'];

/** The policies that every organisation has, each bound to the role of its name. */
export const BUILT_IN_POLICIES: readonly Policy[] = [
  builtIn('strongroom:admin', PERMISSION_NAMES),
  builtIn('secrets:ReadAccess', SECRET_READ),
  builtIn('secrets:ValueAccess', [...SECRET_READ, 'SECRET_GET_VALUE', 'KMS_KEY_USE']),
  builtIn('secrets:FullAccess', [
    ...PERMISSION_NAMES.filter((name) => name.startsWith('SECRET_')),
    'KMS_KEY_USE',
    ...KMS_READ,
  ]),
  builtIn('kms:ReadAccess', KMS_READ),
  builtIn(
    'kms:FullAccess',
    PERMISSION_NAMES.filter((name) => name.startsWith('KMS_KEY_')),
  ),
  builtIn('audit:ReadAccess', ['AUDIT_READ']),
];

function builtIn(name: string, permissions: readonly Permission[]): Policy {
  const resources = ['secret:/**', 'kms-key:*', 'policy:*', 'audit:*'];
  return {
    name,
    builtIn: true,
    statements: [{ name: 'allow', effect: 'ALLOW', permissions, resources, conditions: null }],
    subjects: [{ kind: 'ROLE', value: name, issuer: null }],
  };
}
