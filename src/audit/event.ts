/** Everything that is ever recorded. A new action is a new line here. */
export const AUDIT_ACTIONS = [
  'secret.create',
  'secret.getValue',
  'secret.putValue',
  'secret.update',
  'secret.setAccessPolicy',
  'secret.rollback',
  'secret.destroyVersion',
  'secret.delete',
  'secret.restore',
  'secret.purge',
  'kms.createKey',
  'kms.rotateKey',
  'kms.setRotation',
  'kms.enableKey',
  'kms.disableKey',
  'kms.scheduleDeletion',
  'kms.cancelDeletion',
  'kms.destroyKey',
  'kms.encrypt',
  'kms.decrypt',
  'kms.rewrap',
  'policy.put',
  'policy.delete',
  'auth.denied',
] as const;
export type AuditAction = (typeof AUDIT_ACTIONS)[number];

export type AuditOutcome = 'SUCCESS' | 'DENIED' | 'FAILED';

/** Who acted, from where, in which request: the same for all events of a request. */
export interface AuditActor {
  readonly organisation: string;
  readonly project: string;
  readonly subject: string;
  readonly issuer: string;
  readonly roles: readonly string[];
  readonly requestId: string;
  readonly sourceIp: string | null;
  readonly userAgent: string | null;
}

/** What happened to what. Never a value: `details` holds the names of things and counts. */
export interface AuditEvent {
  readonly action: AuditAction;
  readonly outcome: AuditOutcome;
  readonly errorCode: string | null;
  readonly resourceType: 'secret' | 'kms-key' | 'policy' | 'audit';
  /** The bare path, key identity or policy name. */
  readonly resource: string | null;
  /** Tells the generations of a path apart. */
  readonly resourceId: string | null;
  readonly version: number | null;
  readonly details: Readonly<Record<string, string>>;
  /** The KMS operations that this event caused, in order. */
  readonly effects: readonly AuditEffect[];
}

export type AuditEffect = Omit<AuditEvent, 'effects' | 'outcome' | 'errorCode'>;

/** The actions that change a secret. The migration `secret_events` indexes them. */
export const SECRET_CHANGES = [
  'secret.create',
  'secret.putValue',
  'secret.update',
  'secret.setAccessPolicy',
  'secret.rollback',
  'secret.destroyVersion',
  'secret.delete',
  'secret.restore',
  'secret.purge',
] as const satisfies readonly AuditAction[];
export type SecretChangeAction = (typeof SECRET_CHANGES)[number];

/** Whether an event changed a secret: not when it was refused, answered a first result again, or found nothing to do. */
export function isSecretChange({
  action,
  outcome,
  details,
}: Pick<AuditEvent, 'action' | 'outcome' | 'details'>): boolean {
  return outcome === 'SUCCESS' && CHANGES.has(action) && hadEffect(details);
}

const CHANGES: ReadonlySet<AuditAction> = new Set(SECRET_CHANGES);

export function hadEffect(details: Readonly<Record<string, string>>): boolean {
  return details['replayed'] === undefined && details['repeated'] === undefined && details['changed'] !== '';
}
