import { SECRET_CHANGES, type SecretChangeAction } from '../../audit/event.ts';
import { Prisma } from '../../db/generated/client.ts';
import type { SecretChange } from '../context/followers.ts';
import type { Region } from '../context/request-context.ts';

/** What each audited change of a secret is to those who follow. */
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
} as const satisfies Record<SecretChangeAction, string>;

export type SecretEventKind = (typeof KIND_OF_ACTION)[SecretChangeAction];

export const CHANGES_PER_PAGE = 100;

// Literals, not parameters: only so can the planner tell that the partial index holds them all.
const ACTIONS = Prisma.raw(SECRET_CHANGES.map((action) => `'${action}'`).join(', '));

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
