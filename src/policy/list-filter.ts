import { decide, type Facts } from './decide.ts';
import type { Permission } from './permission.ts';
import type { Resource } from './policy.ts';
import type { Principal } from './principal.ts';

/** Which rows of a list a caller may find. */
export type ListFilter = 'ALL' | 'NONE';

/** A name that only a pattern for every name matches: no path or identity may hold these characters. */
const ANY_NAME = { secret: '/\u0000', 'kms-key': '\u0000', policy: '\u0000', audit: '' } as const;

/**
 * Compiles the policies to a filter for a list of one kind. Precondition: every statement names all resources of a kind,
 * as those of the built-in policies do, so that one decision holds for every row; anything else is refused.
 */
export function listFilter(
  principal: Principal,
  permissions: readonly Permission[],
  kind: Resource['kind'],
  facts: Facts,
): ListFilter {
  if (!facts.policies.every((policy) => policy.builtIn))
    throw new Error('Only built-in policies compile to a filter.');
  const resource = { kind, name: ANY_NAME[kind] };
  return permissions.every((permission) => decide(principal, permission, resource, facts).allowed)
    ? 'ALL'
    : 'NONE';
}
