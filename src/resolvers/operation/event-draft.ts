import type { AuditAction, AuditEffect, AuditEvent } from '../../audit/event.ts';
import { DecryptionFailedError, type UserError } from '../../errors.ts';
import type { Permission } from '../../policy/permission.ts';

/** The audit event of an operation while it runs: it learns what the operation learns. */
export class EventDraft {
  readonly action: AuditAction;
  readonly resourceType: AuditEvent['resourceType'];
  resource: string | null;
  resourceId: string | null = null;
  version: number | null = null;
  readonly details: Record<string, string> = {};
  readonly #effects: AuditEffect[] = [];
  #denied = false;

  constructor(action: AuditAction, resourceType: AuditEvent['resourceType'], resource: string | null = null) {
    this.action = action;
    this.resourceType = resourceType;
    this.resource = resource;
  }

  /** Notes the true reason of a refusal, whatever the caller is told, and hands back what the caller is told. */
  deny<E extends UserError>(permission: Permission, reason: string, told: E): E {
    this.#denied = true;
    this.details['permission'] = permission;
    this.details['reason'] = reason;
    return told;
  }

  /** Notes that a KMS key sealed, opened or rewrapped a version of the secret. */
  addKmsEffect(
    action: 'kms.encrypt' | 'kms.decrypt' | 'kms.rewrap',
    key: { readonly identity: string; readonly version: number },
    details: Readonly<Record<string, string>> = {},
  ): void {
    this.#effects.push({
      action,
      resourceType: 'kms-key',
      resource: key.identity,
      resourceId: null,
      version: key.version,
      details,
    });
  }

  succeeded(): AuditEvent {
    return this.#event('SUCCESS', null, this.#effects);
  }

  failed(error: UserError | DecryptionFailedError): AuditEvent {
    if (this.#denied) return this.#event('DENIED', 'ACCESS_DENIED', []);
    return this.#event(
      'FAILED',
      error instanceof DecryptionFailedError ? 'DECRYPTION_FAILED' : error.code,
      [],
    );
  }

  #event(
    outcome: AuditEvent['outcome'],
    errorCode: string | null,
    effects: readonly AuditEffect[],
  ): AuditEvent {
    const { action, resourceType, resource, resourceId, version, details } = this;
    return { action, outcome, errorCode, resourceType, resource, resourceId, version, details, effects };
  }
}
