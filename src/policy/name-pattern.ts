import { matchesSegments, type Pattern } from './pattern.ts';
import { pathKey } from './secret-path.ts';

/** What a list can hold. */
export type ListedKind = 'secret' | 'kms-key';

/**
 * A resource pattern as a list's filter needs it: all names that it may match lie in [low, high), in the order of keys
 * (`pathKey`, bytewise).
 */
export interface NamePattern {
  readonly low: string;
  readonly high: string;
  /** The key's segments, each as the literal pieces between its stars; null when the whole range matches. */
  readonly segments: readonly (readonly string[])[] | null;
  /** Whether one or more segments follow. */
  readonly open: boolean;
}

/** No path and no identity holds another character, so a pattern that asks for one matches nothing. */
const LITERAL = /^[A-Za-z0-9_.:+-]*$/;
const SEPARATOR = '\u0001';
/** Beyond every name. */
const END = '\u007f';

/** Whatever name there is. */
export const ANY_NAME: NamePattern = { low: '', high: END, segments: null, open: false };

/** Where the first star of a pattern stands. */
export interface FirstStar {
  /** The keys of all children of the folder that the star is in begin with this. */
  readonly folderKey: string;
  /** What is left of the pattern where the star's segment is a name; null for a name that it does not match. */
  readonly at: (name: string) => NamePattern | null;
}

/** The first star of a path's pattern; null where there is none. */
export function firstStar({ segments, open }: NamePattern): FirstStar | null {
  const index = segments?.findIndex((pieces) => pieces.length > 1) ?? -1;
  const pieces = segments?.[index];
  if (!segments || !pieces) return null;
  const above = segments.slice(0, index).map(([piece]) => piece);
  return {
    folderKey: pathKey(above.join('/')) + SEPARATOR,
    at: (name) =>
      matchesSegments({ kind: 'secret', fixed: [pieces], open: false }, [name])
        ? ranged(segments.with(index, [name]), open)
        : null,
  };
}

const known = new WeakMap<Pattern, NamePattern | null>();

/** A pattern of something listed; null when no name can match it. Made once for as long as the pattern lives. */
export function namePattern(pattern: Pattern): NamePattern | null {
  const made = known.get(pattern);
  if (made !== undefined) return made;
  const fresh = readPattern(pattern);
  known.set(pattern, fresh);
  return fresh;
}

function readPattern({ kind, fixed, open }: Pattern): NamePattern | null {
  if (!fixed.flat().every((piece) => LITERAL.test(piece))) return null;
  // Two stars in a row are one.
  const segments = fixed.map((pieces) =>
    pieces.filter((piece, index) => piece !== '' || index === 0 || index === pieces.length - 1),
  );
  return kind === 'secret' ? secretPattern(segments, open) : identityPattern(segments, open);
}

/** A path begins with `/`, so its first segment is empty, and no other one is. */
function secretPattern(segments: readonly (readonly string[])[], open: boolean): NamePattern | null {
  const [first = [''], ...rest] = segments;
  if (!first.every((piece) => piece === '')) return null;
  if (rest.some((pieces) => pieces.length === 1 && pieces[0] === '')) return null;
  if (rest.length === 0 && !open) return null;
  return ranged([[''], ...rest], open);
}

/** An identity is one segment. */
function identityPattern(segments: readonly (readonly string[])[], open: boolean): NamePattern | null {
  const [pieces = ['', ''], ...rest] = segments;
  if (rest.length > 0 || (open && segments.length > 0)) return null;
  if (pieces.length !== 2 || pieces[1] !== '') return ranged([pieces], false);
  const [low = ''] = pieces;
  return { low, high: after(low), segments: null, open: false };
}

function ranged(segments: readonly (readonly string[])[], open: boolean): NamePattern {
  const star = segments.findIndex((pieces) => pieces.length > 1);
  const literal = (star < 0 ? segments : segments.slice(0, star + 1)).map(([piece]) => piece).join('/');
  const low = pathKey(literal);
  if (star >= 0) return { low, high: after(low), segments, open };
  // Between a name and what lies below it stands nothing.
  const below = low + SEPARATOR;
  return open
    ? { low: below, high: after(below), segments: null, open }
    : { low, high: below, segments: null, open };
}

/** The first key after all that start with this one. */
function after(prefix: string): string {
  if (prefix === '') return END;
  return prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1);
}
