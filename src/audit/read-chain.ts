import type { Transaction } from '../db/transaction.ts';
import type { ChainLink } from './chain.ts';

/** An event as its row has it, whatever the row holds: what is read here is to be doubted. */
export type ChainRow = Omit<ChainLink, 'actorRoles'> & {
  readonly actorRoles: readonly string[] | null;
  readonly previousHash: Uint8Array;
  readonly hash: Uint8Array;
};

/** Where a chain ends, and the outermost rows that there are, as of one instant. */
export interface ChainState {
  readonly headSequence: bigint;
  /** null: no event was ever recorded. */
  readonly headHash: Uint8Array | null;
  readonly firstRow: bigint | null;
  readonly lastRow: bigint | null;
  /** The greatest sequence that was ever signed. */
  readonly lastSigned: bigint | null;
}

export const PAGE_EVENTS = 1_000;

export async function readChainState(tx: Transaction, organisation: string): Promise<ChainState> {
  const [state] = await tx.$queryRaw<[ChainState]>`
    SELECT coalesce(h.sequence, 0) AS "headSequence", h.hash AS "headHash",
      (SELECT min(sequence) FROM audit_event WHERE organisation = ${organisation}) AS "firstRow",
      (SELECT max(sequence) FROM audit_event WHERE organisation = ${organisation}) AS "lastRow",
      (SELECT max(sequence) FROM audit_checkpoint WHERE organisation = ${organisation}) AS "lastSigned"
    FROM (VALUES (${organisation})) AS o(organisation) LEFT JOIN audit_head h ON h.organisation = o.organisation`;
  return state;
}

/** The rows after one sequence and up to another, in their order: a page at a time, each a statement of its own. */
export async function* chainPages(
  tx: Transaction,
  organisation: string,
  after: bigint,
  through: bigint,
): AsyncGenerator<readonly ChainRow[], void, undefined> {
  for (let position = after; position < through;) {
    const rows = await tx.$queryRaw<ChainRow[]>`
      SELECT organisation, region, sequence, id, at, action, outcome::text AS outcome, error_code AS "errorCode", project,
        actor_subject AS "actorSubject", actor_issuer AS "actorIssuer", actor_roles AS "actorRoles",
        resource_type AS "resourceType", resource, resource_id AS "resourceId", version, caused_by AS "causedBy",
        request_id AS "requestId", source_ip AS "sourceIp", user_agent AS "userAgent", details,
        previous_hash AS "previousHash", hash
      FROM audit_event WHERE organisation = ${organisation} AND sequence > ${position} AND sequence <= ${through}
      ORDER BY sequence LIMIT ${PAGE_EVENTS}`;
    const last = rows.at(-1);
    if (!last) return;
    yield rows;
    position = last.sequence;
  }
}
