import type { Notice } from '../db/notifications.ts';
import { arrayOf, literal, type Statement } from '../db/statements.ts';
import { uuidV7 } from '../uuid-v7.ts';
import { type ChainLink, linkHash } from './chain.ts';
import type { AuditActor, AuditEvent } from './event.ts';

/** The last event of an organisation's chain. */
export interface ChainHead {
  readonly sequence: bigint;
  readonly hash: Uint8Array;
}

/** What one actor did, in the order in which it is to stand in the chain. */
export interface Doing {
  readonly actor: AuditActor;
  readonly events: readonly AuditEvent[];
}

/** A version of a secret whose value was read. */
export interface ReadVersion {
  readonly secretId: string;
  readonly number: number;
}

/** What is to be written together, at one time. */
export interface Recording {
  readonly organisation: string;
  readonly region: string;
  readonly at: Date;
  readonly doings: readonly Doing[];
  readonly read: readonly ReadVersion[];
  /** Whom it wakes once it is committed. Reads wake nobody. */
  readonly notice?: Notice | null;
}

/** What the statements answer: the head as it was, and whether it was the expected one, so that all has been written. */
export interface Appended extends ChainHead {
  readonly appended: boolean;
}

const HASH_BYTES = 32;

// In one statement, so that a chain is locked no longer than it takes. Rows of secret_access are taken in the order of their
// ids: two statements that read the same secrets in different orders would otherwise wait for each other for ever.
const APPEND = `
  WITH head AS MATERIALIZED (
    SELECT sequence, hash FROM audit_head WHERE organisation = $1 FOR UPDATE
  ), expected AS MATERIALIZED (
    SELECT 1 FROM head WHERE sequence = $2::bigint AND hash = $3::bytea
  ), moved AS (
    UPDATE audit_head SET sequence = $6::bigint, hash = $7::bytea
    WHERE organisation = $1 AND EXISTS (SELECT FROM expected)
  ), events AS (
    INSERT INTO audit_event (
      organisation, region, at, sequence, previous_hash, hash, id, action, outcome, error_code, resource_type, resource,
      resource_id, version, caused_by, details, project, actor_subject, actor_issuer, actor_roles, request_id, source_ip,
      user_agent)
    SELECT
      $1, $4, $5::timestamptz, $2::bigint + e.i,
      CASE WHEN e.i = 1 THEN $3::bytea ELSE substring($8::bytea FROM (e.i::int - 2) * 32 + 1 FOR 32) END,
      substring($8::bytea FROM (e.i::int - 1) * 32 + 1 FOR 32),
      e.id, e.action, e.outcome, e.error_code, e.resource_type, e.resource, e.resource_id, e.version, e.caused_by,
      e.details, e.project, e.subject, e.issuer, string_to_array(e.roles, chr(1)), e.request_id, e.source_ip, e.user_agent
    FROM expected, unnest(
      $9::uuid[], $10::text[], $11::"AuditOutcome"[], $12::text[], $13::text[], $14::text[], $15::text[], $16::int[],
      $17::bigint[], $18::jsonb[], $19::text[], $20::text[], $21::text[], $22::text[], $23::text[], $24::text[], $25::text[]
    ) WITH ORDINALITY AS e(
      id, action, outcome, error_code, resource_type, resource, resource_id, version,
      caused_by, details, project, subject, issuer, roles, request_id, source_ip, user_agent, i)
  )`;
const ANSWER = 'SELECT sequence, hash, EXISTS (SELECT FROM expected) AS appended FROM head';

/** Appends events where the chain's head is the expected one, and nothing where it is not; it is locked either way. */
export const APPEND_EVENTS: Statement = { name: 'append-events', text: `${APPEND} ${ANSWER}` };

/** The same with a notice. */
export const APPEND_CHANGES: Statement = {
  name: 'append-changes',
  text: `${APPEND}
  SELECT
    sequence, hash, EXISTS (SELECT FROM expected) AS appended,
    CASE WHEN EXISTS (SELECT FROM expected) THEN pg_notify($26, $27)::text END AS noticed
  FROM head`,
};

/** The same with the times of last access, which move forward only. */
export const APPEND_READS: Statement = {
  name: 'append-reads',
  text: `${APPEND}, read AS MATERIALIZED (
    SELECT DISTINCT r.id, r.number FROM expected, unnest($26::uuid[], $27::int[]) AS r(id, number) ORDER BY r.id, r.number
  ), secrets AS (
    INSERT INTO secret_access (organisation, secret_id, last_accessed_at)
    SELECT DISTINCT $1, read.id, $5::timestamptz FROM read ORDER BY 2
    ON CONFLICT (organisation, secret_id) DO UPDATE
    SET last_accessed_at = greatest(secret_access.last_accessed_at, excluded.last_accessed_at)
  ), versions AS (
    INSERT INTO secret_version_access (organisation, secret_id, number, last_accessed_at)
    SELECT $1, read.id, read.number, $5::timestamptz FROM read
    ON CONFLICT (organisation, secret_id, number) DO UPDATE
    SET last_accessed_at = greatest(secret_version_access.last_accessed_at, excluded.last_accessed_at)
  ) ${ANSWER}`,
};

/** The events linked to a head: the head after them, and the parameters of the statement. */
export function linked(
  { organisation, region, at, doings, read, notice }: Recording,
  head: ChainHead,
): { readonly head: ChainHead; readonly values: readonly unknown[] } {
  const columns = new Columns();
  const hashes: Uint8Array[] = [];
  let { sequence, hash } = head;
  const append = (
    actor: ActorColumns,
    event: Omit<AuditEvent, 'effects'>,
    causedBy: bigint | null,
  ): bigint => {
    const { action, outcome, errorCode, resourceType, resource, resourceId, version, details } = event;
    const link: ChainLink = {
      ...actor.common,
      sequence: ++sequence,
      id: uuidV7(),
      ...{ action, outcome, errorCode, resourceType, resource, resourceId, version, causedBy, details },
    };
    hash = linkHash(link, hash);
    hashes.push(hash);
    columns.add(link, actor.literals);
    return sequence;
  };
  for (const { actor, events } of doings) {
    const columnsOfActor = actorColumns(actor, region, at);
    for (const event of events) {
      const cause = append(columnsOfActor, event, null);
      for (const effect of event.effects) {
        append(columnsOfActor, { ...effect, outcome: 'SUCCESS', errorCode: null }, cause);
      }
    }
  }
  const values = [
    ...[organisation, head.sequence, Buffer.from(head.hash), region, at],
    ...[sequence, Buffer.from(hash), Buffer.concat(hashes, hashes.length * HASH_BYTES)],
    ...columns.arrays(),
    ...(read.length === 0
      ? []
      : [arrayOf(read.map((one) => one.secretId)), arrayOf(read.map((one) => one.number))]),
    ...(notice ? [notice.channel, notice.payload] : []),
  ];
  return { head: { sequence, hash }, values };
}

type ActorColumns = ReturnType<typeof actorColumns>;

/** What all events of one actor's request have in common, as it is hashed and as it is sent. */
function actorColumns(actor: AuditActor, region: string, at: Date) {
  const { organisation, project, subject, issuer, roles, requestId, sourceIp, userAgent } = actor;
  return {
    common: {
      ...{ organisation, region, at, project, requestId, sourceIp, userAgent },
      ...{ actorSubject: subject, actorIssuer: issuer, actorRoles: roles },
    },
    literals: [
      ...[literal(project), literal(subject), literal(issuer), literal(roles.join('\x01'))],
      ...[literal(requestId), literal(sourceIp), literal(userAgent)],
    ],
  };
}

/** The arrays of the statement, in its order. */
class Columns {
  readonly #columns: (string | number | bigint)[][] = Array.from({ length: 17 }, () => []);

  add(link: ChainLink, actorLiterals: readonly string[]): void {
    const { id, action, outcome, errorCode, resourceType, resource, resourceId, version, causedBy } = link;
    const items = [
      ...[id, action, outcome, errorCode ?? 'NULL', resourceType, literal(resource), literal(resourceId)],
      ...[version ?? 'NULL', causedBy ?? 'NULL', literal(JSON.stringify(link.details)), ...actorLiterals],
    ];
    for (const [index, item] of items.entries()) this.#columns[index]?.push(item);
  }

  arrays(): readonly string[] {
    return this.#columns.map(arrayOf);
  }
}
