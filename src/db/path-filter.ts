import type { ListFilter, VisibleRange } from '../policy/list-filter.ts';
import type { NamePattern } from '../policy/name-pattern.ts';
import { Prisma } from './generated/client.ts';

/** Whether the filter lets a key pass, for one row by itself. `key` must have the collation "C". */
export function isVisible(key: Prisma.Sql, filter: ListFilter): Prisma.Sql {
  const [first] = filter;
  if (!first) return Prisma.sql`FALSE`;
  // One range is told as it is, so that the planner knows how much it holds.
  if (filter.length === 1) return Prisma.join(conditions(key, first), ' AND ');
  return Prisma.sql`EXISTS (SELECT FROM ${rangeTable(filter)} WHERE ${inRange(key, filter)})`;
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
  if (filter.every(({ required, refused }) => required.length + refused.length === 0)) return bounds;
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

/** A regular expression that holds where of each group one pattern matches; '' for no group. */
function allOf(groups: readonly (readonly NamePattern[])[]): string {
  const [last, ...others] = groups.map(alternatives);
  return last === undefined ? '' : `^${others.map((one) => `(?=${one}$)`).join('')}${last}$`;
}

function anyOf(patterns: readonly NamePattern[]): string {
  return patterns.length === 0 ? '' : `^${alternatives(patterns)}$`;
}

function alternatives(patterns: readonly NamePattern[]): string {
  return `(?:${patterns.map(expression).join('|')})`;
}

/**
 * A star is anything but the separator, which a key never has within a segment. Of the literal characters (see
 * `NamePattern`) three mean something to a regular expression.
 */
function expression({ segments, open }: NamePattern): string {
  const literal = (piece: string) => piece.replace(/[.+-]/g, '\\$&');
  const parts = (segments ?? []).map((pieces) => pieces.map(literal).join('[^\u0001]*'));
  return parts.join('\u0001') + (open ? '\u0001.+' : '');
}
