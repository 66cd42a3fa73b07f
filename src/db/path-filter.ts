import type { ListFilter, VisibleRange } from '../policy/list-filter.ts';
import { Prisma } from './generated/client.ts';
import { allOf, anyOf } from './name-expression.ts';

/** Whether the filter lets a key pass, for one row by itself. `key` must have the collation "C". */
export function isVisible(key: Prisma.Sql, filter: ListFilter): Prisma.Sql {
  const [first] = filter;
  if (!first) return Prisma.sql`FALSE`;
  // One range is told as it is, so that the planner knows how much it holds.
  if (filter.length === 1) return Prisma.join(conditions(key, first), ' AND ');
  if (filter.every(isLiteral)) return isBetweenEnds(key, filter);
  return Prisma.sql`EXISTS (SELECT FROM ${rangeTable(filter)} WHERE ${inRange(key, filter)})`;
}

/**
 * A binary search over the ends of the ranges: behind an odd number of them lies the inside of one, since they are in order
 * and apart.
 */
function isBetweenEnds(key: Prisma.Sql, filter: ListFilter): Prisma.Sql {
  const ends = filter.flatMap(({ low, high }) => [low, high]);
  return Prisma.sql`width_bucket(${key}, ${ends}::text[]) % 2 = 1`;
}

function isLiteral({ required, refused }: VisibleRange): boolean {
  return required.length + refused.length === 0;
}

/** The ranges of a filter as the rows of a table r, for `inRange`. */
export function rangeTable(filter: ListFilter): Prisma.Sql {
  const column = (valueOf: (range: VisibleRange) => string) => Prisma.sql`${filter.map(valueOf)}::text[]`;
  return Prisma.sql`(
    SELECT u.low COLLATE "C" AS low, u.high COLLATE "C" AS high, u.required, u.refused
    FROM unnest(
      ${column(({ low }) => low)}, ${column(({ high }) => high)},
      ${column(({ required }) => allOf(required))}, ${column(({ refused }) => anyOf(refused))}
    ) AS u(low, high, required, refused)) AS r`;
}

/** Whether a key lies in the range of the row r and passes its patterns. */
export function inRange(key: Prisma.Sql, filter: ListFilter): Prisma.Sql {
  const bounds = Prisma.sql`${key} >= r.low AND ${key} < r.high`;
  if (filter.every(isLiteral)) return bounds;
  // An OR would have the planner expect next to no rows, and read a whole range only to sort it.
  return Prisma.sql`${bounds}
    AND CASE WHEN r.required = '' THEN TRUE ELSE ${key} ~ r.required END
    AND CASE WHEN r.refused = '' THEN TRUE ELSE ${key} !~ r.refused END`;
}

function conditions(key: Prisma.Sql, { low, high, required, refused }: VisibleRange): Prisma.Sql[] {
  const bounds = Prisma.sql`${key} >= ${low} AND ${key} < ${high}`;
  const passing = required.map((group) => Prisma.sql`${key} ~ ${anyOf(group)}`);
  return [bounds, ...passing, ...(refused.length > 0 ? [Prisma.sql`${key} !~ ${anyOf(refused)}`] : [])];
}
