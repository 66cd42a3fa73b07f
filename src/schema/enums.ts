import { PERMISSIONS } from '../policy/permission.ts';
import { builder } from './builder.ts';

/** Enum values with their descriptions. */
function described<T extends Record<string, string>>(descriptions: T) {
  const entries = Object.entries(descriptions).map(([name, description]) => [name, { description }]);
  return Object.fromEntries(entries) as { readonly [Name in keyof T]: { readonly description: string } };
}

export const PermissionEnum = builder.enumType('Permission', {
  description: 'A right that a policy allows or denies on a path, a KMS key, a policy or the audit log.',
  values: described(PERMISSIONS),
});

export const SecretVersionStatusEnum = builder.enumType('SecretVersionStatus', {
  description: "Whether a version's value is still there.",
  values: described({
    ACTIVE: 'The value is there and can be read.',
    DESTROYED: 'The value is gone for good; the version stays as a record.',
  }),
});

export const SecretVersionStageEnum = builder.enumType('SecretVersionStage', {
  description: 'The role of a version now. It changes automatically as versions are written and destroyed.',
  values: described({
    CURRENT: 'The latest active version: what a read without a version number answers.',
    PREVIOUS: 'The newest active version before the current one.',
  }),
});

export const SecretValueFormatEnum = builder.enumType('SecretValueFormat', {
  description: 'The form of a value. Each version has its own.',
  values: described({
    STRING: 'One value of 1 byte to 64 KiB.',
    KEY_VALUE: '1 to 256 named entries, 64 KiB in all, of which any can be read alone.',
  }),
});

export const SecretOrderFieldEnum = builder.enumType('SecretOrderField', {
  description: 'What a list of secrets can be ordered by.',
  values: described({
    PATH: 'By path, segment by segment, bytewise.',
    CREATED_AT: 'By the time of creation.',
    UPDATED_AT: 'By the time of the last change of metadata or value.',
    LAST_ACCESSED_AT: 'By the time of the last read of a value; never read comes first in ascending order.',
  }),
});

export const OrderDirectionEnum = builder.enumType('OrderDirection', {
  description: 'Which end of an order comes first.',
  values: described({ ASC: 'The smallest or oldest first.', DESC: 'The largest or newest first.' }),
});

export const EffectEnum = builder.enumType('Effect', {
  description: 'What a matching condition or statement does. DENY wins over ALLOW.',
  values: described({ ALLOW: 'What matches is let through.', DENY: 'What matches is refused.' }),
});

export const WeekdayEnum = builder.enumType('Weekday', {
  description: 'A day of the week in the time zone of its condition.',
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
  description: 'How the action of an audit event ended.',
  values: described({
    SUCCESS: 'It was done.',
    DENIED: 'It was refused: the caller lacked a right.',
    FAILED: 'It failed for another reason, which errorCode names.',
  }),
});

export const KmsKeyTypeEnum = builder.enumType('KmsKeyType', {
  description: 'The algorithm with which a KMS key wraps data keys. Keys have 256 bits, nonces 96.',
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
    PENDING_DELETION: 'The key waits for its deletion and seals and opens nothing.',
  }),
});

export const PolicySubjectKindEnum = builder.enumType('PolicySubjectKind', {
  description: 'Whom a policy can be bound to.',
  values: described({
    ROLE: 'Everybody with the role in the token.',
    SUBJECT: 'One identity: a subject of its issuer.',
  }),
});

export const AccessDecisionReasonEnum = builder.enumType('AccessDecisionReason', {
  description: 'What a decision rests on.',
  values: described({
    ALLOWED_BY_STATEMENT: 'An ALLOW counts, and no DENY.',
    DENIED_BY_STATEMENT: 'A DENY counts.',
    NO_STATEMENT_ALLOWS: 'No ALLOW counts: nothing is allowed by default.',
    DENIED_BY_ACCESS_POLICY: "Policies allow it, but the secret's access policy refuses it.",
    OUT_OF_SCOPE: 'The KMS key is not in the scope and region, so it cannot be used from here.',
  }),
});

export const SecretEventKindEnum = builder.enumType('SecretEventKind', {
  description: 'What a change did to a secret.',
  values: described({
    CREATED: 'It was created, with version 1.',
    VALUE_PUT: 'A version was written, by a put or a rollback.',
    METADATA_UPDATED: 'Its description, labels or annotations were changed.',
    ACCESS_POLICY_SET: 'Its access policy was set or cleared.',
    VERSION_DESTROYED: 'The value of a version was destroyed.',
    DELETED: 'It was deleted and waits in its recovery window.',
    RESTORED: 'It was restored, to the path that the event names.',
    PURGED: 'It was removed for good.',
  }),
});
