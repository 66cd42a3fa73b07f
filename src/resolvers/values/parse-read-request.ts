import { type FieldPath, InvalidInputError } from '../../errors.ts';
import { parseSecretPath } from '../../policy/secret-path.ts';
import type { ReadRequest } from '../context/reads.ts';
import { MAX_ENTRIES } from '../input/parse-secret-value.ts';
import { parseVersionNumber } from '../input/parse-version-number.ts';

export function parseReadRequest(
  input: {
    readonly path: string;
    readonly version?: number | null;
    readonly keys?: readonly string[] | null;
  },
  field: FieldPath,
): ReadRequest {
  const path = parseSecretPath(input.path, [...field, 'path']);
  const version = input.version == null ? null : parseVersionNumber(input.version, [...field, 'version']);
  const keys = input.keys ?? null;
  if (keys && (keys.length < 1 || keys.length > MAX_ENTRIES || new Set(keys).size < keys.length)) {
    throw new InvalidInputError([...field, 'keys'], `There are 1 to ${MAX_ENTRIES} keys, each named once.`);
  }
  return { path, version, keys, field };
}
