import type { AuditEventModel } from '../generated/models.ts';

/** Which events are looked for; null: any. */
export interface AuditEventCriteria {
  readonly organisation: string;
  /** null: those of the organisation itself and of all its projects. */
  readonly project: string | null;
  readonly actions: readonly string[] | null;
  readonly outcome: AuditEventModel['outcome'] | null;
  readonly subject: string | null;
  readonly issuer: string | null;
  readonly resource: string | null;
  /** The path of a folder: events of the secrets below it. */
  readonly folder: string | null;
  readonly requestId: string | null;
  readonly since: Date | null;
  /** Left out itself. */
  readonly until: Date | null;
}
