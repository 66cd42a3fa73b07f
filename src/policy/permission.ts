/** Every permission, with what it allows. This is the enum of the API. */
export const PERMISSIONS = {
  SECRET_CREATE: 'Create a secret at a path.',
  SECRET_READ: "Read a secret's metadata and versions, never values.",
  SECRET_LIST: 'Find a secret in lists and folders. Also needs SECRET_READ.',
  SECRET_UPDATE: "Change a secret's description, labels, annotations and access policy.",
  SECRET_GET_VALUE: 'Read values. Also needs KMS_KEY_USE on the key.',
  SECRET_PUT_VALUE: 'Write new versions and roll back. Also needs KMS_KEY_USE on the key.',
  SECRET_DELETE: 'Delete and restore a secret, and destroy a version.',
  SECRET_PURGE: 'Purge a deleted secret before its recovery window ends.',
  KMS_KEY_CREATE: 'Create KMS keys.',
  KMS_KEY_READ: "Read a KMS key's metadata.",
  KMS_KEY_LIST: 'Find a KMS key in lists, together with KMS_KEY_READ.',
  KMS_KEY_UPDATE: 'Rotate, enable, disable and rewrap a KMS key.',
  KMS_KEY_USE: 'Use a KMS key to seal and open values.',
  KMS_KEY_DELETE: 'Schedule the deletion of a KMS key.',
  POLICY_READ: 'Read policies and request explanations of decisions.',
  POLICY_WRITE: 'Create, replace and delete policies.',
  AUDIT_READ: 'Read, verify and export the audit log.',
} as const;

export type Permission = keyof typeof PERMISSIONS;
export const PERMISSION_NAMES = Object.keys(PERMISSIONS) as readonly Permission[];

/** The kind of resource that a permission applies to, which the start of its name determines. */
export function resourceKindOf(permission: Permission): 'secret' | 'kms-key' | 'policy' | 'audit' {
  if (permission.startsWith('SECRET_')) return 'secret';
  if (permission.startsWith('KMS_KEY_')) return 'kms-key';
  return permission.startsWith('POLICY_') ? 'policy' : 'audit';
}
