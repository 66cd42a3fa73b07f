import { RequestError } from '../errors.ts';
import { applicableStatements } from './applicable-statements.ts';
import type { CompiledStatement } from './compiled-policies.ts';
import type { Asking, Facts } from './facts.ts';
import { ANY_NAME, type ListedKind, type NamePattern, namePattern } from './name-pattern.ts';
import type { Permission } from './permission.ts';

/** Keys from `low` on and before `high`, of which the caller sees those that pass: all, where there is nothing to pass. */
export interface VisibleRange {
  readonly low: string;
  readonly high: string;
  /** Of each of these groups one pattern must match. */
  readonly required: readonly (readonly NamePattern[])[];
  /** None of these may match. */
  readonly refused: readonly NamePattern[];
}

/**
 * Which rows of a list a caller may find: ranges of keys (`pathKey`, bytewise), in order and apart from one another.
 * Nothing outside them is ever looked at, so that a page costs what it shows. Within a range, patterns with a star are
 * left to test row by row; a range of literal prefixes has none.
 */
export type ListFilter = readonly VisibleRange[];

const TOO_LARGE =
  'The policies that bind the caller have too many patterns for a list to be filtered by them.';

/** An end of a pattern's range. */
interface Turn {
  readonly at: string;
  readonly pattern: NamePattern;
  readonly cover: Cover;
  readonly on: boolean;
}

/** The patterns of one effect that cover the place where the sweep stands. */
class Cover {
  #whole = 0;
  readonly #partial = new Set<NamePattern>();

  turn(pattern: NamePattern, on: boolean): void {
    if (pattern.segments === null) this.#whole += on ? 1 : -1;
    else if (on) this.#partial.add(pattern);
    else this.#partial.delete(pattern);
  }

  get all(): boolean {
    return this.#whole > 0;
  }

  /** How many of them are left to test, name by name. */
  get tested(): number {
    return this.#whole > 0 ? 0 : this.#partial.size;
  }

  get some(): readonly NamePattern[] {
    return this.#whole > 0 ? [] : [...this.#partial];
  }
}

/**
 * How many ranges a filter has, and patterns in all of them together. Each range has its own list of patterns, so that a
 * thousand of either would make a million: more than one organisation may take of the memory and time of all.
 */
export const MAX_FILTER_SIZE = 20_000;

/**
 * Compiles what the policies say, for this principal under these facts, to a filter: exactly the names for which `decide`
 * allows every one of the permissions. It sweeps over the ends of all patterns; between two ends, what allows and what
 * denies does not change. Throws QUERY_TOO_COMPLEX for a filter that is too large.
 */
export function listFilter(
  principal: Asking,
  permissions: readonly Permission[],
  kind: ListedKind,
  facts: Facts,
): ListFilter {
  const denied = new Cover();
  const turns: Turn[] = [];
  const allowed = permissions.map((permission) => {
    const statements = applicableStatements(principal, permission, facts);
    const cover = new Cover();
    const { DENY = [], ALLOW = [], counts } = statements ?? {};
    for (const statement of ALLOW) if (counts?.(statement)) addTurns(turns, cover, statement, kind);
    for (const statement of DENY) if (counts?.(statement)) addTurns(turns, denied, statement, kind);
    return cover;
  });
  turns.sort((a, b) => compare(a.at, b.at));
  const ranges: VisibleRange[] = [];
  let size = 0;
  turns.forEach(({ at, pattern, cover, on }, index) => {
    cover.turn(pattern, on);
    const next = turns[index + 1];
    if (!next || next.at === at || denied.all || allowed.some((one) => !one.all && one.tested === 0)) return;
    size += 1 + [denied, ...allowed].reduce((sum, one) => sum + one.tested, 0);
    if (size > MAX_FILTER_SIZE) throw new RequestError('QUERY_TOO_COMPLEX', TOO_LARGE);
    const groups = allowed.filter((one) => !one.all).map((one) => one.some);
    const required = groups.filter((group, i) => !groups.slice(0, i).some((one) => isSameGroup(one, group)));
    append(ranges, { low: at, high: next.at, required, refused: denied.some });
  });
  return ranges;
}

/** A statement's patterns, where they begin to cover and where they end. */
function addTurns(
  turns: Turn[],
  cover: Cover,
  { matched, patterns, unreadable }: CompiledStatement,
  kind: ListedKind,
): void {
  const listed = patterns.filter((pattern) => pattern.kind === kind).map(namePattern);
  // As in a decision: a DENY that this release does not read names everything.
  for (const pattern of unreadable && matched.statement.effect === 'DENY' ? [ANY_NAME] : listed) {
    if (!pattern) continue;
    turns.push(
      { at: pattern.low, pattern, cover, on: true },
      { at: pattern.high, pattern, cover, on: false },
    );
  }
}

/** The part of a filter that lies in [low, high). */
export function within(filter: ListFilter, low: string, high: string): ListFilter {
  return filter
    .filter((range) => range.high > low && range.low < high)
    .map((range) => ({
      ...range,
      low: range.low > low ? range.low : low,
      high: range.high < high ? range.high : high,
    }));
}

/** Two ranges side by side of which the same holds are one. */
function append(ranges: VisibleRange[], range: VisibleRange): void {
  const last = ranges.at(-1);
  if (last?.high === range.low && isSame(last, range)) {
    ranges[ranges.length - 1] = { ...last, high: range.high };
  } else {
    ranges.push(range);
  }
}

function isSame(a: VisibleRange, b: VisibleRange): boolean {
  return (
    isSameGroup(a.refused, b.refused) &&
    a.required.length === b.required.length &&
    a.required.every((group, index) => isSameGroup(group, b.required[index] ?? []))
  );
}

function isSameGroup(a: readonly NamePattern[], b: readonly NamePattern[]): boolean {
  return a.length === b.length && a.every((pattern, index) => pattern === b[index]);
}

/** By code unit, as bytes compare where all is ASCII. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
