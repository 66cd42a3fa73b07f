import { type FieldPath, InvalidInputError } from '../../errors.ts';

/** The number of a version: 1 or more. */
export function parseVersionNumber(number: number, field: FieldPath): number {
  if (number < 1) throw new InvalidInputError(field, 'The number of a version is 1 or more.');
  return number;
}

/** An expected counter: 0 or more; null when nothing is expected. */
export function parseExpected(number: number | null | undefined, field: FieldPath): number | null {
  if (number == null) return null;
  if (number < 0) throw new InvalidInputError(field, 'An expected version is 0 or more.');
  return number;
}
