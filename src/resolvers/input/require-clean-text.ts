import { type FieldPath, InvalidInputError } from '../../errors.ts';

/* eslint-disable no-control-regex -- control characters are what is looked for */
const CONTROL = {
  line: /[\u0000-\u001f\u007f]/,
  text: /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/,
} as const;

/**
 * Refuses what a database, a terminal or a log would choke on: control characters (a text may have tabs and line ends)
 * and halves of surrogate pairs.
 */
export function requireCleanText(text: string, field: FieldPath, kind: 'line' | 'text'): void {
  if (CONTROL[kind].test(text) || !text.isWellFormed()) {
    throw new InvalidInputError(field, 'The text is well-formed Unicode without control characters.');
  }
}
