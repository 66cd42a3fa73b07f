import { type FieldPath, InvalidInputError } from '../../errors.ts';
import { requireCleanText } from './require-clean-text.ts';

const MAX_CHARACTERS = 128;

/** 1 to 128 characters of the caller's choice; null for none. */
export function parseIdempotencyKey(key: string | null | undefined, field: FieldPath): string | null {
  if (key == null) return null;
  if (key.length < 1 || key.length > MAX_CHARACTERS) {
    throw new InvalidInputError(field, `An idempotency key has 1 to ${MAX_CHARACTERS} characters.`);
  }
  requireCleanText(key, field, 'line');
  return key;
}
