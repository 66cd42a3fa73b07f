import type { NamePattern } from '../policy/name-pattern.ts';

/** A regular expression of Postgres that holds where of each group one pattern matches; '' for no group. */
export function allOf(groups: readonly (readonly NamePattern[])[]): string {
  const [last, ...others] = groups.map(alternatives);
  return last === undefined ? '' : `^${others.map((one) => `(?=${one}$)`).join('')}${last}$`;
}

/** One that holds where a pattern matches; '' for no pattern. */
export function anyOf(patterns: readonly NamePattern[]): string {
  return patterns.length === 0 ? '' : `^${alternatives(patterns)}$`;
}

/**
 * What patterns begin with in common is said once: Postgres keeps every alternative that may still match, character by
 * character and row by row.
 */
function alternatives(patterns: readonly NamePattern[]): string {
  return `(?:${factored(patterns.map(atoms), 0)})`;
}

/** The alternatives from an atom on, all of which are the same before it. */
function factored(all: readonly (readonly string[])[], from: number): string {
  const [one = []] = all;
  let at = from;
  while (at < one.length && all.every((other) => other[at] === one[at])) at++;
  const common = one.slice(from, at).join('');
  const longer = Map.groupBy(
    all.filter((each) => each.length > at),
    (each) => each[at],
  );
  if (longer.size === 0) return common;
  const branches = [...longer.values()].map((group) => factored(group, at)).join('|');
  return `${common}(?:${branches})${all.some((each) => each.length === at) ? '?' : ''}`;
}

/**
 * A star is anything but the separator, which a key never has within a segment. Of the literal characters (see
 * `NamePattern`) three mean something to a regular expression.
 */
function atoms({ segments, open }: NamePattern): string[] {
  const literal = (piece: string) => Array.from(piece, (character) => character.replace(/[.+-]/, '\\$&'));
  const parts = (segments ?? []).map((pieces) =>
    pieces.flatMap((piece, index) => (index === 0 ? literal(piece) : ['[^\u0001]*', ...literal(piece)])),
  );
  return [
    ...parts.flatMap((part, index) => (index === 0 ? part : ['\u0001', ...part])),
    ...(open ? ['\u0001.+'] : []),
  ];
}
