import type { ListFilter } from '../policy/list-filter.ts';
import { Prisma } from './generated/client.ts';
import { inRange, isVisible, rangeTable } from './path-filter.ts';

const KEY = Prisma.sql`s.path_key`;
/** Before and after every key. */
const [START, END] = ['', '\u007f'];

/** Where rows come from: secrets as s, with when they were last read as a. */
const SECRETS = Prisma.sql`
  secret s LEFT JOIN secret_access a ON a.organisation = s.organisation AND a.secret_id = s.id`;

/** The same, where many ranges are read: the planner would read all times of access anew for each. */
const SECRETS_ONE_BY_ONE = Prisma.sql`
  secret s LEFT JOIN LATERAL (
    SELECT x.last_accessed_at FROM secret_access x WHERE x.organisation = s.organisation AND x.secret_id = s.id OFFSET 0
  ) AS a ON TRUE`;

/** What is asked of the rows besides that the caller may find them. */
export interface Search {
  readonly filter: ListFilter;
  /** Speaks of s and a. */
  readonly where: Prisma.Sql;
}

/**
 * `columns` of everything that the search finds, in no order, reading nothing outside the filter's ranges. With
 * `readsAccess` the times of access are read, whether the search speaks of them or not.
 */
export function selectFromRanges(
  { filter, where }: Search,
  columns: Prisma.Sql,
  readsAccess = false,
): Prisma.Sql {
  const from = readsAccess ? SECRETS_ONE_BY_ONE : SECRETS;
  // Without the OFFSET the planner may turn the loop over and read the whole scope, once for each range.
  return Prisma.sql`
    SELECT c.* FROM ${rangeTable(filter)}
    CROSS JOIN LATERAL (SELECT ${columns} FROM ${from} WHERE ${where} AND ${inRange(KEY, filter)} OFFSET 0) AS c`;
}

/** `columns` of everything that the search finds, in no order; how is left to the planner. */
export function selectFromScope({ filter, where }: Search, columns: Prisma.Sql): Prisma.Sql {
  return Prisma.sql`SELECT ${columns} FROM ${SECRETS} WHERE ${where} AND ${isVisible(KEY, filter)}`;
}

/** An order of all secrets of a scope, which an index has together with their path keys. */
export interface Walk {
  /** Which secrets are in it: a condition on s. */
  readonly among: Prisma.Sql;
  /** What of s it goes by, then by ids. */
  readonly position: Prisma.Sql;
  readonly direction: Prisma.Sql;
  /** How many secrets are looked at before the walk gives up. */
  readonly most: number;
}

/** The ids of what the caller may find and meets the conditions, in the order of the walk, as far as that goes. */
export function selectFromWalk(
  filter: ListFilter,
  conditions: readonly Prisma.Sql[],
  { among, position, direction, most }: Walk,
): Prisma.Sql {
  return Prisma.sql`
    SELECT w.id FROM (
      SELECT s.organisation, s.id, s.path_key, ${position} AS position FROM secret s
      WHERE ${among} ORDER BY ${position} ${direction}, s.id ${direction} LIMIT ${most}) AS w
    ${conditions.length > 0 ? thatMeet(conditions) : Prisma.empty}
    WHERE ${isVisible(Prisma.sql`w.path_key`, filter)} ORDER BY w.position ${direction}, w.id ${direction}`;
}

/** A row is fetched for its conditions only where the caller may find it. */
function thatMeet(conditions: readonly Prisma.Sql[]): Prisma.Sql {
  return Prisma.sql`
    CROSS JOIN LATERAL (
      SELECT FROM ${SECRETS}
      WHERE s.organisation = w.organisation AND s.id = w.id AND ${Prisma.join([...conditions], ' AND ')}
      OFFSET 0) AS met`;
}

/**
 * The ids of the first `limit` secrets in the order of their path keys, and of ids. It goes from range to range and stops
 * with the page: one probe of the index for a range, one entry for a row.
 */
export function walkRanges({ filter, where }: Search, backward: boolean, limit: number): Prisma.Sql {
  const direction = backward ? Prisma.sql`DESC` : Prisma.sql`ASC`;
  return Prisma.sql`
    WITH RECURSIVE range AS MATERIALIZED (SELECT * FROM ${rangeTable(filter)}), walk(at, n, ids) AS (
      SELECT ${backward ? END : START}::text COLLATE "C", 0, ARRAY[]::uuid[]
      UNION ALL
      SELECT ${backward ? Prisma.sql`r.low` : Prisma.sql`r.high`}, w.n + cardinality(f.ids), f.ids
      FROM walk w
      CROSS JOIN LATERAL (${nextRange(backward)}) AS r
      CROSS JOIN LATERAL (
        SELECT ARRAY(
          SELECT s.id FROM ${SECRETS} WHERE ${where} AND ${inRange(KEY, filter)}
          ORDER BY s.path_key ${direction}, s.id ${direction} LIMIT ${limit}::int - w.n
        ) AS ids OFFSET 0) AS f
      WHERE w.n < ${limit}::int
    )
    SELECT unnest(ids) AS id FROM walk`;
}

/**
 * The keys of a folder's children from the filter's ranges: a secret's path key, or a folder's with its separator at the
 * end. A loose index scan: each step finds the next secret beyond the last child, and one below a folder stands for that
 * folder, whose end is where the next step begins.
 */
export function walkChildren(
  { filter, where }: Search,
  prefix: string,
  backward: boolean,
  limit: number,
): Prisma.Sql {
  const start = Prisma.sql`${prefix.length + 1}::int`;
  const rest = Prisma.sql`substr(f.key, ${start})`;
  const direction = backward ? Prisma.sql`DESC` : Prisma.sql`ASC`;
  const beyond = backward ? Prisma.sql`s.path_key < w.at` : Prisma.sql`s.path_key >= w.at`;
  // Beyond a folder's key, which ends with chr(1), lies everything from chr(2) on, and beyond a secret's the folder of its
  // name; before a child lies all below its key.
  const past = backward
    ? Prisma.sql`coalesce(c.key, r.low)`
    : Prisma.sql`CASE WHEN c.key IS NULL THEN r.high
        WHEN right(c.key, 1) = chr(1) THEN left(c.key, -1) || chr(2) ELSE c.key || chr(1) END`;
  return Prisma.sql`
    WITH RECURSIVE range AS MATERIALIZED (SELECT * FROM ${rangeTable(filter)}), walk(at, key, n) AS (
      SELECT ${backward ? END : START}::text COLLATE "C", NULL::text COLLATE "C", 0
      UNION ALL
      SELECT ${past}, c.key, w.n + (c.key IS NOT NULL)::int
      FROM walk w
      CROSS JOIN LATERAL (${nextRange(backward, true)}) AS r
      LEFT JOIN LATERAL (
        SELECT s.path_key FROM secret s WHERE ${where} AND ${inRange(KEY, filter)} AND ${beyond}
        ORDER BY s.path_key ${direction} LIMIT 1) AS f(key) ON TRUE
      CROSS JOIN LATERAL (
        SELECT CASE WHEN strpos(${rest}, chr(1)) > 0
          THEN left(f.key, ${start} - 1 + strpos(${rest}, chr(1))) ELSE f.key END COLLATE "C" AS key) AS c
      WHERE w.n < ${limit}::int
    )
    SELECT key, right(key, 1) = chr(1) AS "isFolder" FROM walk WHERE key IS NOT NULL ORDER BY n`;
}

/** The range where the walk goes on from w.at: the next one, or with `inside` the one that w.at lies in. */
function nextRange(backward: boolean, inside = false): Prisma.Sql {
  if (backward) {
    return Prisma.sql`
      SELECT * FROM range WHERE ${inside ? Prisma.sql`low < w.at` : Prisma.sql`high <= w.at`} ORDER BY low DESC LIMIT 1`;
  }
  return Prisma.sql`
    SELECT * FROM range WHERE ${inside ? Prisma.sql`high > w.at` : Prisma.sql`low >= w.at`} ORDER BY low LIMIT 1`;
}
