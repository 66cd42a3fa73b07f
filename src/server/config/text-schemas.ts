import { z } from 'zod';

/** A whole number. `rule` says which, in the words of an error. */
export function wholeNumber(pattern: RegExp, from: number, to: number, rule: string) {
  return z
    .string()
    .regex(pattern, rule)
    .transform(Number)
    .refine((number) => number >= from && number <= to, rule);
}

/** JSON, of any shape. */
export const jsonText = z.string().transform((text, context): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    context.addIssue('must be JSON');
    return z.NEVER;
  }
});

/** Items separated by commas, each read by `item`, which returns null for what it refuses. Blank items are left out. */
export function listOf<T>(item: (text: string) => T | null, rule: string) {
  return z.string().transform((text, context): readonly T[] => {
    const items = text
      .split(',')
      .map((entry) => entry.trim())
      .filter((entry) => entry !== '')
      .map(item);
    if (items.every((one) => one !== null)) return items;
    context.addIssue(rule);
    return z.NEVER;
  });
}
