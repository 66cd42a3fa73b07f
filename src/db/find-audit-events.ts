import type { Transaction } from './database.ts';
import { Prisma } from './generated/client.ts';
import type { AuditEventModel } from './generated/models.ts';

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
  /** Between these path keys, both left out; only events of secrets. */
  readonly pathKeys: { readonly above: string; readonly below: string } | null;
  readonly requestId: string | null;
  readonly since: Date | null;
  /** Left out itself. */
  readonly until: Date | null;
}

/** From where, which way and how far the log is walked. The bounds themselves are left out. */
export interface AuditEventWalk {
  readonly above: bigint | null;
  readonly below: bigint | null;
  readonly ascending: boolean;
  readonly limit: number;
}

const OUTCOMES = ['SUCCESS', 'DENIED', 'FAILED'] as const;
/** The migration's block of paths: 2^12 events. */
const BLOCK_BITS = 12;

/**
 * The events that meet all criteria, in the order walked. First their sequences, from indexes alone where that can be: the
 * planner would else walk the whole log for a filter that it takes for common and that holds of old events only.
 */
export async function findAuditEvents(
  tx: Transaction,
  criteria: AuditEventCriteria,
  walk: AuditEventWalk,
): Promise<AuditEventModel[]> {
  const { organisation } = criteria;
  const range = await sequencesBetween(tx, criteria, walk);
  if (range.from > range.to) return [];
  const byBlock = criteria.pathKeys !== null && !(await namesFew(tx, criteria));
  const found = await tx.$queryRaw<{ sequence: bigint }[]>(sequencesQuery(criteria, walk, range, byBlock));
  const rows = await tx.auditEvent.findMany({
    where: { organisation, sequence: { in: found.map(({ sequence }) => sequence) } },
    orderBy: { sequence: walk.ascending ? 'asc' : 'desc' },
  });
  return rows;
}

interface SequenceRange {
  readonly from: bigint;
  readonly to: bigint;
}

/** The sequences that can be meant: between the cursors, and in a block with a time in the range of time. */
export async function sequencesBetween(
  tx: Transaction,
  { organisation, since, until }: AuditEventCriteria,
  { above, below }: AuditEventWalk,
): Promise<SequenceRange> {
  const [span] = await tx.$queryRaw<[Record<'first' | 'last' | 'covered' | 'from' | 'to', bigint | null>]>`
    SELECT
      (SELECT min(sequence) FROM audit_event WHERE organisation = ${organisation}) AS first,
      (SELECT max(sequence) FROM audit_event WHERE organisation = ${organisation}) AS last,
      (SELECT max(last_sequence) FROM audit_span WHERE organisation = ${organisation}) AS covered,
      (SELECT min(last_sequence) - 1023 FROM audit_span
       WHERE organisation = ${organisation} AND latest_at >= ${since}::timestamptz) AS "from",
      (SELECT max(last_sequence) FROM audit_span
       WHERE organisation = ${organisation} AND earliest_at < ${until}::timestamptz) AS "to"`;
  const covered = span.covered ?? 0n;
  let from = since === null ? 1n : (span.from ?? covered + 1n);
  let to = span.last ?? 0n;
  // Events after the last full block have left no times yet: there are at most 1,023, and here they are asked one by one.
  if (until !== null && !(await hasEventBefore(tx, organisation, covered, until))) to = span.to ?? 0n;
  if (span.first !== null && span.first > from) from = span.first;
  if (above !== null && above >= from) from = above + 1n;
  if (below !== null && below <= to) to = below - 1n;
  return { from, to };
}

async function hasEventBefore(
  tx: Transaction,
  organisation: string,
  above: bigint,
  until: Date,
): Promise<boolean> {
  const [found] = await tx.$queryRaw<[{ exists: boolean }]>`
    SELECT EXISTS (
      SELECT FROM (
        SELECT at FROM audit_event WHERE organisation = ${organisation} AND sequence > ${above} ORDER BY sequence
      ) tail WHERE tail.at < ${until}::timestamptz
    ) AS exists`;
  return found.exists;
}

const FEW = 5_000;

/** Whether another filter than that of paths leaves so few events that their paths can be looked at one by one. */
async function namesFew(tx: Transaction, criteria: AuditEventCriteria): Promise<boolean> {
  const { organisation, subject, resource, requestId } = criteria;
  if (requestId !== null || resource !== null) return true;
  if (subject === null) return false;
  const [counted] = await tx.$queryRaw<[{ few: boolean }]>`
    SELECT count(*) < ${FEW} AS few FROM (
      SELECT FROM audit_event WHERE organisation = ${organisation} AND actor_subject = ${subject} LIMIT ${FEW}
    ) bounded`;
  return counted.few;
}

/** The statement that finds the sequences: exported, so that a test can ask Postgres how it would go about it. */
export function sequencesQuery(
  criteria: AuditEventCriteria,
  walk: Pick<AuditEventWalk, 'ascending' | 'limit'>,
  range: SequenceRange,
  byBlock: boolean,
): Prisma.Sql {
  const { actions, outcome, requestId, resource, subject } = criteria;
  const direction = walk.ascending ? Prisma.sql`ASC` : Prisma.sql`DESC`;
  const select = (more: readonly Prisma.Sql[]) => {
    const where = Prisma.join([...conditions(criteria, range), ...more], ' AND ');
    return Prisma.sql`
      SELECT e.sequence FROM audit_event e WHERE ${where} ORDER BY e.sequence ${direction} LIMIT ${walk.limit}`;
  };
  if (byBlock) {
    const [first, last] = [range.from >> BigInt(BLOCK_BITS), range.to >> BigInt(BLOCK_BITS)];
    const inBlock = select([
      ...anyOf(criteria),
      Prisma.sql`(e.sequence >> ${Prisma.raw(String(BLOCK_BITS))}) = b.block`,
    ]);
    return Prisma.sql`
      SELECT s.sequence FROM (
        SELECT g.block FROM generate_series(${first}::bigint, ${last}::bigint) AS g(block) ORDER BY g.block ${direction}
      ) b CROSS JOIN LATERAL (${inBlock}) s
      ORDER BY b.block ${direction}, s.sequence ${direction} LIMIT ${walk.limit}`;
  }
  if (actions === null || requestId !== null || resource !== null || subject !== null)
    return select(anyOf(criteria));
  // An index gives the order for one action and one outcome: a walk for each, merged.
  const branches = actions.flatMap((action) =>
    (outcome === null ? OUTCOMES : [outcome]).map(
      (one) => Prisma.sql`(${select([Prisma.sql`e.action = ${action}`, outcomeIs(one)])})`,
    ),
  );
  return Prisma.sql`
    SELECT s.sequence FROM (${Prisma.join(branches, ' UNION ALL ')}) s
    ORDER BY s.sequence ${direction} LIMIT ${walk.limit}`;
}

/** Everything but actions and outcome. Literals repeat what partial indexes are made for. */
function conditions(criteria: AuditEventCriteria, range: SequenceRange): Prisma.Sql[] {
  const { organisation, project, subject, issuer, resource, pathKeys, requestId, since, until } = criteria;
  const pathKey = Prisma.sql`(translate(e.resource, '/'::text, chr(1)) COLLATE "C")`;
  return [
    Prisma.sql`e.organisation = ${organisation}`,
    Prisma.sql`e.sequence BETWEEN ${range.from} AND ${range.to}`,
    ...(project !== null ? [Prisma.sql`e.project = ${project} AND e.project <> ''`] : []),
    ...(subject !== null ? [Prisma.sql`e.actor_subject = ${subject}`] : []),
    ...(issuer !== null ? [Prisma.sql`e.actor_issuer = ${issuer}`] : []),
    ...(resource !== null ? [Prisma.sql`e.resource = ${resource}`] : []),
    ...(requestId !== null ? [Prisma.sql`e.request_id = ${requestId}`] : []),
    ...(pathKeys !== null
      ? [
          Prisma.sql`e.resource_type = 'secret'`,
          Prisma.sql`${pathKey} > ${pathKeys.above} AND ${pathKey} < ${pathKeys.below}`,
        ]
      : []),
    ...(since !== null ? [Prisma.sql`e.at >= ${since}::timestamptz`] : []),
    ...(until !== null ? [Prisma.sql`e.at < ${until}::timestamptz`] : []),
  ];
}

function anyOf({ actions, outcome }: AuditEventCriteria): Prisma.Sql[] {
  return [
    ...(actions !== null ? [Prisma.sql`e.action = ANY(${[...actions]})`] : []),
    ...(outcome !== null ? [outcomeIs(outcome)] : []),
  ];
}

function outcomeIs(outcome: AuditEventModel['outcome']): Prisma.Sql {
  const is = Prisma.sql`e.outcome = ${outcome}::"AuditOutcome"`;
  return outcome === 'SUCCESS' ? is : Prisma.sql`${is} AND e.outcome <> 'SUCCESS'`;
}
