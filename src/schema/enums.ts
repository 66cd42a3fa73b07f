import { PERMISSIONS } from '../policy/permission.ts';
import { builder } from './builder.ts';

/** Enum values with their descriptions. */
function described<T extends Record<string, string>>(descriptions: T) {
  const entries = Object.entries(descriptions).map(([name, description]) => [name, { description }]);
  return Object.fromEntries(entries) as { readonly [Name in keyof T]: { readonly description: string } };
}

export const PermissionEnum = builder.enumType('Permission', {
  description: 'A permission that a policy allows or denies on a path, a KMS key, a policy or the audit log.',
  values: described(PERMISSIONS),
});

export const SecretVersionStatusEnum = builder.enumType('SecretVersionStatus', {
  description: 'Whether the value of a version still exists.',
  values: described({
    ACTIVE: 'The value exists and can be read.',
    DESTROYED: 'The value is permanently gone. The version remains as a record.',
  }),
});

export const SecretVersionStageEnum = builder.enumType('SecretVersionStage', {
  description:
    'The current role of a version. It changes automatically as versions are written and destroyed.',
  values: described({
    CURRENT: 'The latest active version. A read without a version number returns it.',
    PREVIOUS: 'The latest active version before the current one.',
  }),
});

export const SecretValueFormatEnum = builder.enumType('SecretValueFormat', {
  description: 'The form of a value. Each version has its own.',
  values: described({
    STRING: 'A single value of 1 byte to 64 KiB.',
    KEY_VALUE: '1 to 256 named entries, at most 64 KiB in total. Each entry can be read on its own.',
  }),
});

export const SecretOrderFieldEnum = builder.enumType('SecretOrderField', {
  description: 'The field by which a list of secrets is ordered.',
  values: described({
    PATH: 'By path, compared segment by segment and byte by byte.',
    CREATED_AT: 'By creation time.',
    UPDATED_AT: 'By the time of the last change to the metadata or the value.',
    LAST_ACCESSED_AT:
      'By the time of the last read of a value. In ascending order, secrets that were never read come first.',
  }),
});

export const OrderDirectionEnum = builder.enumType('OrderDirection', {
  description: 'The direction in which a list is ordered.',
  values: described({ ASC: 'Smallest or oldest first.', DESC: 'Largest or newest first.' }),
});

export const EffectEnum = builder.enumType('Effect', {
  description: 'What a matching condition or statement does. DENY takes precedence over ALLOW.',
  values: described({ ALLOW: 'What matches is allowed.', DENY: 'What matches is refused.' }),
});

export const WeekdayEnum = builder.enumType('Weekday', {
  description: 'A day of the week, in the time zone of its condition.',
  values: described({
    MONDAY: 'Monday.',
    TUESDAY: 'Tuesday.',
    WEDNESDAY: 'Wednesday.',
    THURSDAY: 'Thursday.',
    FRIDAY: 'Friday.',
    SATURDAY: 'Saturday.',
    SUNDAY: 'Sunday.',
  }),
});

export const AuditOutcomeEnum = builder.enumType('AuditOutcome', {
  description: 'The outcome of the action that an audit event records.',
  values: described({
    SUCCESS: 'The action succeeded.',
    DENIED: 'The action was refused because the caller lacked a permission.',
    FAILED: 'The action failed for another reason, which errorCode names.',
  }),
});

export const KmsKeyTypeEnum = builder.enumType('KmsKeyType', {
  description:
    'The algorithm with which a KMS key wraps data keys. Keys are 256 bits long, and nonces are 96 bits long.',
  values: described({
    AES256_GCM96: 'AES-256-GCM (NIST SP 800-38D).',
    CHACHA20_POLY1305: 'ChaCha20-Poly1305 (RFC 8439).',
  }),
});

export const KmsKeyStatusEnum = builder.enumType('KmsKeyStatus', {
  description: 'Whether a KMS key can be used.',
  values: described({
    ACTIVE: 'The key seals and opens values.',
    DISABLED: 'The key seals and opens nothing until it is enabled again.',
    PENDING_DELETION: 'The key is waiting to be deleted. It seals and opens nothing.',
  }),
});

export const PolicySubjectKindEnum = builder.enumType('PolicySubjectKind', {
  description: 'The kind of subject that a policy is bound to.',
  values: described({
    ROLE: 'Everyone whose token has the role.',
    SUBJECT: 'A single identity: a subject of its issuer.',
  }),
});

export const AccessDecisionReasonEnum = builder.enumType('AccessDecisionReason', {
  description: 'The reason for an access decision.',
  values: described({
    ALLOWED_BY_STATEMENT: 'An ALLOW statement applies, and no DENY statement does.',
    DENIED_BY_STATEMENT: 'A DENY statement applies.',
    NO_STATEMENT_ALLOWS: 'No ALLOW statement applies. Nothing is allowed by default.',
    DENIED_BY_ACCESS_POLICY: "The policies allow the request, but the secret's own access policy does not.",
    OUT_OF_SCOPE: 'The KMS key does not belong to this scope and region, so it cannot be used from here.',
  }),
});

export const SecretEventKindEnum = builder.enumType('SecretEventKind', {
  description: 'The kind of change to a secret.',
  values: described({
    CREATED: 'The secret was created, with version 1.',
    VALUE_PUT: 'A version was written, by a put or a rollback.',
    METADATA_UPDATED: 'The description, labels or annotations of the secret were changed.',
    ACCESS_POLICY_SET: 'The access policy of the secret was set or cleared.',
    VERSION_DESTROYED: 'The value of a version was destroyed.',
    DELETED: 'The secret was deleted and is in its recovery window.',
    RESTORED: 'The secret was restored to the path that the event names.',
    PURGED: 'The secret was permanently removed.',
  }),
});
