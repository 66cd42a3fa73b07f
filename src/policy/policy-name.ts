import { type FieldPath, InvalidInputError } from '../errors.ts';
import { BUILT_IN_POLICIES } from './built-in-policies.ts';

/** ASCII alone: no spaces, no letters of other scripts that look the same. */
export const POLICY_NAME = /^[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}$/;

/**
 * What tells one name from another for people: two names with the same key are taken for one. Case does not count, and of
 * the ASCII characters that look alike (Unicode Technical Standard 39, confusables) each counts as the other.
 */
export function policyNameKey(name: string): string {
  return name.toLowerCase().replaceAll('0', 'o').replace(/[1i]/g, 'l').replaceAll('rn', 'm');
}

const RESERVED: ReadonlySet<string> = new Set(BUILT_IN_POLICIES.map(({ name }) => policyNameKey(name)));

export function isBuiltInName(name: string): boolean {
  return BUILT_IN_POLICIES.some((policy) => policy.name === name);
}

/** The name of a policy that may be written. Throws InvalidInputError, also for whatever looks like a built-in one. */
export function parsePolicyName(name: string, field: FieldPath): string {
  if (!POLICY_NAME.test(name)) {
    const rule = 'The name of a policy is 1 to 128 of A-Z a-z 0-9 _ . : - and begins with a letter or digit.';
    throw new InvalidInputError(field, rule);
  }
  if (RESERVED.has(policyNameKey(name))) {
    throw new InvalidInputError(field, 'The name is that of a built-in policy, or looks like it.');
  }
  return name;
}
