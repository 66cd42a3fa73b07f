import { type FieldPath, InvalidInputError } from '../../errors.ts';
import { RESOURCE_KINDS } from '../../policy/pattern.ts';
import { parsePattern } from '../../policy/parse-pattern.ts';
import type { Resource } from '../../policy/policy.ts';
import { parseSecretPath } from '../../policy/secret-path.ts';

/**
 * One resource, written as in a policy: `secret:` and a path, `kms-key:` and an identity, `policy:` and a name, `audit:*`.
 * `*` as an identity or a name stands for any that no policy names by itself.
 */
export function parseResource(text: string, field: FieldPath): Resource {
  const kind = RESOURCE_KINDS.find((candidate) => text.startsWith(`${candidate}:`));
  if (kind === undefined) {
    throw new InvalidInputError(field, 'A resource begins with secret:, kms-key:, policy: or audit:.');
  }
  const name = text.slice(kind.length + 1);
  if (kind === 'secret') return { kind, name: parseSecretPath(name, field) };
  parsePattern(text, field);
  return { kind, name: kind === 'audit' ? '' : name };
}
