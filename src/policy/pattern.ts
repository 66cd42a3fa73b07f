import type { Resource } from './policy.ts';

export type ResourceKind = Resource['kind'];
export const RESOURCE_KINDS: readonly ResourceKind[] = ['secret', 'kms-key', 'policy', 'audit'];

/** A pattern taken apart: `secret:/app/*\/**` has the fixed segments '', 'app' and '*', and is open. */
export interface Pattern {
  readonly kind: ResourceKind;
  /** Each with what decides it: a text, or literal pieces between stars. */
  readonly fixed: readonly (readonly string[])[];
  /** Ends with `**`: one or more segments of any text follow. */
  readonly open: boolean;
}

/** Stands for a star's text in `contains`: a character that no pattern and no name has. */
const ANY_TEXT = '\u0000';

/** Takes a pattern apart without checking it; null when it is of no kind. */
export function splitPattern(text: string): Pattern | null {
  const kind = RESOURCE_KINDS.find((candidate) => text.startsWith(`${candidate}:`));
  if (kind === undefined) return null;
  const segments = text.slice(kind.length + 1).split('/');
  const open = segments.at(-1) === '**';
  return {
    kind,
    fixed: (open ? segments.slice(0, -1) : segments).map((segment) => segment.split('*')),
    open,
  };
}

/** Whether the pattern names the resource of its kind whose name has these segments. */
export function matchesSegments({ fixed, open }: Pattern, segments: readonly string[]): boolean {
  if (open ? segments.length <= fixed.length : segments.length !== fixed.length) return false;
  for (let index = 0; index < fixed.length; index++) {
    if (!matchesPieces(fixed[index] ?? [], segments[index] ?? '')) return false;
  }
  return true;
}

/**
 * Whether everything that `inner` names is named by `outer`. Exact: what stands for a star of `inner` may be any text, so
 * only a star of `outer` can be sure to take it. Limits on the length of names are left aside.
 */
export function contains(outer: Pattern, inner: Pattern): boolean {
  if (outer.kind !== inner.kind || (inner.open && !outer.open)) return false;
  const longer = inner.fixed.length - outer.fixed.length;
  if (outer.open ? longer < (inner.open ? 0 : 1) : longer !== 0) return false;
  return outer.fixed.every((pieces, index) =>
    matchesPieces(pieces, (inner.fixed[index] ?? []).join(ANY_TEXT)),
  );
}

/** Whether there can be a name that both patterns name. Exact, but for limits on the length of names. */
export function overlaps(a: Pattern, b: Pattern): boolean {
  if (a.kind !== b.kind) return false;
  const longer = a.fixed.length - b.fixed.length;
  if (!a.open && !b.open && longer !== 0) return false;
  if (a.open !== b.open && (a.open ? longer >= 0 : longer <= 0)) return false;
  const common = Math.min(a.fixed.length, b.fixed.length);
  return a.fixed.slice(0, common).every((pieces, index) => segmentsOverlap(pieces, b.fixed[index] ?? []));
}

/** Two texts with stars meet when their beginnings and their ends agree: the stars take whatever lies between. */
function segmentsOverlap(a: readonly string[], b: readonly string[]): boolean {
  if (a.length === 1) return matchesPieces(b, a[0] ?? '');
  if (b.length === 1) return matchesPieces(a, b[0] ?? '');
  const [startA = '', startB = ''] = [a[0], b[0]];
  const [endA = '', endB = ''] = [a.at(-1), b.at(-1)];
  return (
    (startA.startsWith(startB) || startB.startsWith(startA)) && (endA.endsWith(endB) || endB.endsWith(endA))
  );
}

/** Greedy matching of literal pieces between stars: linear in the segment, whatever the pattern. */
function matchesPieces(pieces: readonly string[], segment: string): boolean {
  const first = pieces[0] ?? '';
  if (pieces.length === 1) return segment === first;
  const last = pieces.at(-1) ?? '';
  if (segment.length < first.length + last.length) return false;
  if (!segment.startsWith(first) || !segment.endsWith(last)) return false;
  const end = segment.length - last.length;
  let at = first.length;
  for (let index = 1; index < pieces.length - 1; index++) {
    const piece = pieces[index] ?? '';
    const found = segment.indexOf(piece, at);
    if (found < 0 || found + piece.length > end) return false;
    at = found + piece.length;
  }
  return true;
}
