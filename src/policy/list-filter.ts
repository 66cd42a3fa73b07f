import { applicableStatements } from './applicable-statements.ts';
import type { CompiledStatement } from './compiled-policies.ts';
import type { Asking, Facts } from './decide.ts';
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

  get some(): readonly NamePattern[] {
    return this.#whole > 0 ? [] : [...this.#partial];
  }
}

/**
 * Compiles what the policies say, for this principal under these facts, to a filter: exactly the names for which `decide`
 * allows every one of the permissions. It sweeps over the ends of all patterns; between two ends, what allows and what
 * denies does not change.
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
  turns.forEach(({ at, pattern, cover, on }, index) => {
    cover.turn(pattern, on);
    const next = turns[index + 1];
    if (!next || next.at === at || denied.all) return;
    const groups = allowed.filter((one) => !one.all).map((one) => one.some);
    if (groups.some((group) => group.length === 0)) return;
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
