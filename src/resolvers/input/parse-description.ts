import { type FieldPath, InvalidInputError } from '../../errors.ts';
import { requireCleanText } from './require-clean-text.ts';

const MAX_CHARACTERS = 1024;

/** A description of at most 1,024 characters; null for none. */
export function parseDescription(text: string | null | undefined, field: FieldPath): string | null {
  if (text == null) return null;
  if (text.length > MAX_CHARACTERS) {
    throw new InvalidInputError(field, `A description has at most ${MAX_CHARACTERS} characters.`);
  }
  requireCleanText(text, field, 'text');
  return text;
}
