import type { Resource } from './policy.ts';

/**
 * Whether a pattern such as `secret:/app/*\/db/**` names the resource. `*` stands for zero or more characters within one
 * segment, `**` as the last segment for one or more segments; nothing else is special, and names are data.
 */
export function matchesPattern(pattern: string, resource: Resource): boolean {
  if (!pattern.startsWith(`${resource.kind}:`)) return false;
  if (resource.kind === 'audit') return pattern === 'audit:*';
  return matchesSegments(pattern.slice(resource.kind.length + 1).split('/'), resource.name.split('/'));
}

function matchesSegments(patterns: readonly string[], segments: readonly string[]): boolean {
  const open = patterns.at(-1) === '**';
  const fixed = open ? patterns.slice(0, -1) : patterns;
  if (open ? segments.length <= fixed.length : segments.length !== fixed.length) return false;
  return fixed.every((pattern, index) => matchesSegment(pattern, segments[index] ?? ''));
}

/** Greedy matching of literal pieces between stars: linear in the segment, whatever the pattern. */
function matchesSegment(pattern: string, segment: string): boolean {
  const pieces = pattern.split('*');
  const [first = '', last = ''] = [pieces[0], pieces.at(-1)];
  if (pieces.length === 1) return segment === pattern;
  if (!segment.startsWith(first) || !segment.endsWith(last) || segment.length < first.length + last.length)
    return false;
  const end = segment.length - last.length;
  let at = first.length;
  for (const piece of pieces.slice(1, -1)) {
    const found = segment.indexOf(piece, at);
    if (found < 0 || found + piece.length > end) return false;
    at = found + piece.length;
  }
  return true;
}
