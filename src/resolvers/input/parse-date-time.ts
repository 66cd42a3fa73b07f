import { type FieldPath, InvalidInputError } from '../../errors.ts';

const RFC_3339 = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:\.\d{1,9})?(?:Z|[+-]\d{2}:\d{2})$/;

/** An instant in RFC 3339, with any offset; a date that does not exist is refused, not carried over. */
export function parseDateTime(text: string, field: FieldPath): Date {
  const match = RFC_3339.exec(text);
  const instant = new Date(match ? text : NaN);
  const [, year, month, day, hour] = match?.map(Number) ?? [];
  const daysInMonth = new Date(Date.UTC(year ?? 0, month ?? 0, 0)).getUTCDate();
  const utcYear = instant.getUTCFullYear();
  if (!(utcYear >= 1 && utcYear <= 9999) || (day ?? 0) > daysInMonth || (hour ?? 0) > 23) {
    throw new InvalidInputError(
      field,
      'A time is an existing instant in RFC 3339, such as 2030-01-31T23:59:59.000Z.',
    );
  }
  return instant;
}
