import { matchesSegments, splitPattern } from './pattern.ts';
import type { Resource } from './policy.ts';

/**
 * Whether a pattern such as `secret:/app/*\/db/**` names the resource. `*` stands for zero or more characters within one
 * segment, `**` as the last segment for one or more segments; nothing else is special, and names are data.
 */
export function matchesPattern(pattern: string, resource: Resource): boolean {
  if (!pattern.startsWith(`${resource.kind}:`)) return false;
  if (resource.kind === 'audit') return pattern === 'audit:*';
  const split = splitPattern(pattern);
  return split !== null && matchesSegments(split, resource.name.split('/'));
}
