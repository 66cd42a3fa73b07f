import type { AuditAction, AuditEvent } from '../../audit/event.ts';
import { Prisma } from '../../db/generated/client.ts';
import type { Region } from '../context/request-context.ts';

/** What each audited change of a secret is to those who follow. The migration `secret_events` indexes these actions. */
export const KIND_OF_ACTION = {
  'secret.create': 'CREATED',
  'secret.putValue': 'VALUE_PUT',
  'secret.update': 'METADATA_UPDATED',
  'secret.setAccessPolicy': 'ACCESS_POLICY_SET',
  'secret.rollback': 'VALUE_PUT',
  'secret.destroyVersion': 'VERSION_DESTROYED',
  'secret.delete': 'DELETED',
  'secret.restore': 'RESTORED',
  'secret.purge': 'PURGED',
} as const satisfies Partial<Record<AuditAction, string>>;

export type ChangeAction = keyof typeof KIND_OF_ACTION;
export type SecretEventKind = (typeof KIND_OF_ACTION)[ChangeAction];

/** A change of a secret as its audit event has it: the audit chain is the outbox, its sequence the order of commits. */
export interface SecretChange {
  readonly sequence: bigint;
  readonly id: string;
  readonly at: Date;
  readonly action: ChangeAction;
  readonly resource: string;
  readonly version: number | null;
  readonly details: Readonly<Record<string, string>>;
}

export const CHANGES_PER_PAGE = 100;

// Literals, not parameters: only so can the planner tell that the partial index holds them all.
const ACTIONS = Prisma.raw(
  Object.keys(KIND_OF_ACTION)
    .map((action) => `'${action}'`)
    .join(', '),
);

/** Whether an event of the log changed a secret: not when it was refused, answered a first result again, or found nothing to do. */
export function isChange({
  action,
  outcome,
  details,
}: Pick<AuditEvent, 'action' | 'outcome' | 'details'>): boolean {
  return outcome === 'SUCCESS' && action in KIND_OF_ACTION && hadEffect(details);
}

/** The next successful operations on secrets of one scope after a place in the chain, in order: at most 100. */
export async function operationsAfter(
  region: Region,
  { organisation, project }: { readonly organisation: string; readonly project: string },
  sequence: bigint,
): Promise<readonly SecretChange[]> {
  return region.db.client.$queryRaw<SecretChange[]>`
    SELECT sequence, id::text, at, action, resource, version, details FROM audit_event
    WHERE organisation = ${organisation} AND project = ${project} AND sequence > ${sequence}
      AND outcome = 'SUCCESS' AND action IN (${ACTIONS})
    ORDER BY sequence LIMIT ${CHANGES_PER_PAGE}`;
}

export function hadEffect(details: Readonly<Record<string, string>>): boolean {
  return details['replayed'] === undefined && details['repeated'] === undefined && details['changed'] !== '';
}
