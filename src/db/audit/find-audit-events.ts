import { Prisma } from '../generated/client.ts';
import type { AuditEventModel } from '../generated/models.ts';
import type { Transaction } from '../transaction.ts';
import type { AuditEventCriteria } from './audit-event-criteria.ts';
import { type AnyTerm, auditTerms } from './audit-terms.ts';

/** From where, which way and how far the log is walked. The bounds themselves are left out. */
export interface AuditEventWalk {
  readonly above: bigint | null;
  readonly below: bigint | null;
  readonly ascending: boolean;
  readonly limit: number;
}

/** As the migration of audit_posting has it: a span is 64 blocks of 16 events. */
const SPAN = 1_024n;

/**
 * The events that meet all criteria, in the order walked. First their sequences: each span's postings tell in which of its
 * blocks an event may meet them, and the events of these are looked at; behind the last span, all events are.
 */
export async function findAuditEvents(
  tx: Transaction,
  criteria: AuditEventCriteria,
  walk: AuditEventWalk,
): Promise<AuditEventModel[]> {
  const { organisation } = criteria;
  const range = await sequencesBetween(tx, criteria, walk);
  if (range.from > range.to) return [];
  const found = await tx.$queryRaw<{ sequence: bigint }[]>(sequencesQuery(criteria, walk, range));
  return tx.auditEvent.findMany({
    where: { organisation, sequence: { in: found.map(({ sequence }) => sequence) } },
    orderBy: { sequence: walk.ascending ? 'asc' : 'desc' },
  });
}

interface SequenceRange {
  readonly from: bigint;
  readonly to: bigint;
  /** The end of the last span: the at most 1,023 events behind it have no postings and no times yet. */
  readonly covered: bigint;
}

/** The sequences that can be meant: between the cursors, and in a span with a time in the range of time. */
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
  // The events behind the last span are asked one by one.
  if (until !== null && !(await hasEventBefore(tx, organisation, covered, until))) to = span.to ?? 0n;
  if (span.first !== null && span.first > from) from = span.first;
  if (above !== null && above >= from) from = above + 1n;
  if (below !== null && below <= to) to = below - 1n;
  return { from, to, covered };
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

/** The statement that finds the sequences: exported, so that a test can ask Postgres how it would go about it. */
export function sequencesQuery(
  criteria: AuditEventCriteria,
  walk: Pick<AuditEventWalk, 'ascending' | 'limit'>,
  { from, to, covered }: SequenceRange,
): Prisma.Sql {
  const terms = auditTerms(criteria);
  const { limit } = walk;
  const direction = walk.ascending ? Prisma.sql`ASC` : Prisma.sql`DESC`;
  const select = (within: SequencesWithin) => Prisma.sql`
    SELECT e.sequence FROM audit_event e WHERE ${Prisma.join(conditions(criteria, within), ' AND ')}
    ORDER BY e.sequence ${direction} LIMIT ${limit}::int`;
  if (terms.length === 0) return select({ from, to });
  const tail = select({ from: from > covered ? from : covered + 1n, to });
  if (from > covered) return tail;
  const spans = { first: lastOfSpan(from), last: to < covered ? lastOfSpan(to) : covered };
  const ofSpan = {
    from: Prisma.sql`greatest(s.last_sequence - ${SPAN - 1n}::bigint, ${from}::bigint)`,
    to: Prisma.sql`least(s.last_sequence, ${to}::bigint)`,
  };
  const open = Prisma.sql`
    SELECT e.sequence FROM audit_span s
    CROSS JOIN LATERAL (${select(ofSpan)}) e
    WHERE s.organisation = ${criteria.organisation} AND s.open
      AND s.last_sequence BETWEEN ${spans.first} AND ${spans.last}
    ORDER BY s.last_sequence ${direction}, e.sequence ${direction} LIMIT ${limit}::int`;
  return Prisma.sql`
    SELECT f.sequence FROM (
      (${tail}) UNION (${walkSpans(criteria, terms, walk, { from, to }, spans)}) UNION (${open})
    ) f ORDER BY f.sequence ${direction} LIMIT ${limit}::int`;
}

function lastOfSpan(sequence: bigint): bigint {
  return ((sequence + SPAN - 1n) / SPAN) * SPAN;
}

/**
 * From span to span that has all terms: each step goes to the next with the first, from there to the next with the second,
 * and so on, and where that is one and the same span, to the events of the blocks that they share.
 */
function walkSpans(
  criteria: AuditEventCriteria,
  terms: readonly AnyTerm[],
  { ascending, limit }: Pick<AuditEventWalk, 'ascending' | 'limit'>,
  { from, to }: { readonly from: bigint; readonly to: bigint },
  spans: { readonly first: bigint; readonly last: bigint },
): Prisma.Sql {
  const direction = ascending ? Prisma.sql`ASC` : Prisma.sql`DESC`;
  const name = (index: number) => Prisma.raw(`t${index}`);
  const [first, last] = [name(0), name(terms.length - 1)];
  const probes = terms.map((any, index) => {
    const at = index === 0 ? Prisma.sql`w.at` : Prisma.sql`${name(index - 1)}.at`;
    const range = ascending
      ? Prisma.sql`BETWEEN ${at} AND ${spans.last}::bigint`
      : Prisma.sql`BETWEEN ${spans.first}::bigint AND ${at}`;
    return Prisma.sql`
      CROSS JOIN LATERAL (
        SELECT p.last_sequence AS at, p.terms, p.blocks FROM audit_posting p
        WHERE p.organisation = ${criteria.organisation} AND p.bucket = (${any[0]} & 31)::smallint
          AND p.last_sequence ${range}
          AND ${any.length === 1 ? Prisma.sql`${any[0]} = ANY(p.terms)` : Prisma.sql`p.terms && ARRAY[${Prisma.join([...any])}]`}
        ORDER BY p.last_sequence ${direction} LIMIT 1
      ) ${name(index)}`;
  });
  const masks = terms.map(
    (any, index) => Prisma.sql`(
      SELECT bit_or(u.blocks) FROM unnest(${name(index)}.terms, ${name(index)}.blocks) u(term, blocks)
      WHERE u.term = ANY(ARRAY[${Prisma.join([...any])}]))`,
  );
  const first16 = Prisma.sql`s.at - ${SPAN - 1n}::bigint + b.n * 16`;
  // All of a span is one range, not 64.
  const block = { from: first16, to: Prisma.sql`${first16} + CASE WHEN s.blocks = -1 THEN 1023 ELSE 15 END` };
  return Prisma.sql`
    WITH RECURSIVE walk(at, n, found) AS (
      SELECT ${ascending ? spans.first : spans.last}::bigint, 0, ARRAY[]::bigint[]
      UNION ALL
      SELECT CASE WHEN s.meets THEN s.at ${ascending ? Prisma.sql`+` : Prisma.sql`-`} ${SPAN}::bigint ELSE s.at END,
        w.n + cardinality(f.found), f.found
      FROM walk w ${Prisma.join(probes, ' ')}
      CROSS JOIN LATERAL (
        SELECT ${last}.at, ${last}.at = ${first}.at AS meets,
          CASE WHEN ${last}.at = ${first}.at THEN ${Prisma.join(masks, ' & ')} ELSE 0 END AS blocks OFFSET 0
      ) s
      CROSS JOIN LATERAL (
        SELECT ARRAY(
          SELECT e.sequence FROM generate_series(0, CASE WHEN s.blocks = -1 THEN 0 ELSE 63 END) b(n)
          CROSS JOIN LATERAL (
            SELECT e.sequence FROM audit_event e
            WHERE ${Prisma.join(conditions(criteria, block), ' AND ')} AND e.sequence BETWEEN ${from} AND ${to} OFFSET 0
          ) e
          WHERE s.blocks <> 0 AND (s.blocks >> b.n) & 1 = 1 ORDER BY e.sequence ${direction} LIMIT ${limit}::int - w.n
        ) AS found OFFSET 0
      ) f
      WHERE w.n < ${limit}::int
    )
    SELECT unnest(found) AS sequence FROM walk`;
}

interface SequencesWithin {
  readonly from: bigint | Prisma.Sql;
  readonly to: bigint | Prisma.Sql;
}

function conditions(criteria: AuditEventCriteria, { from, to }: SequencesWithin): Prisma.Sql[] {
  const { organisation, project, actions, outcome, subject, issuer } = criteria;
  const { resource, folder, requestId, since, until } = criteria;
  return [
    Prisma.sql`e.organisation = ${organisation}`,
    Prisma.sql`e.sequence BETWEEN ${from} AND ${to}`,
    ...(project !== null ? [Prisma.sql`e.project = ${project}`] : []),
    ...(actions !== null ? [Prisma.sql`e.action = ANY(${[...actions]})`] : []),
    ...(outcome !== null ? [Prisma.sql`e.outcome = ${outcome}::"AuditOutcome"`] : []),
    ...(subject !== null ? [Prisma.sql`e.actor_subject = ${subject}`] : []),
    ...(issuer !== null ? [Prisma.sql`e.actor_issuer = ${issuer}`] : []),
    ...(resource !== null ? [Prisma.sql`e.resource = ${resource}`] : []),
    ...(folder !== null
      ? [
          Prisma.sql`e.resource_type = 'secret' AND starts_with(e.resource, ${folder === '/' ? '/' : `${folder}/`})`,
        ]
      : []),
    ...(requestId !== null ? [Prisma.sql`e.request_id = ${requestId}`] : []),
    ...(since !== null ? [Prisma.sql`e.at >= ${since}::timestamptz`] : []),
    ...(until !== null ? [Prisma.sql`e.at < ${until}::timestamptz`] : []),
  ];
}
