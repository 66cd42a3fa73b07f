import { type FieldPath, InvalidInputError } from '../../errors.ts';
import { DAY_MS } from '../operation/day.ts';

const DAYS = { least: 1, most: 3650 };

/** null for none. Throws `InvalidInputError` unless there are 1 to 3650 days. */
export function parseRotationPeriod(days: number | null | undefined, field: FieldPath): number | null {
  if (days == null) return null;
  if (days >= DAYS.least && days <= DAYS.most) return days;
  throw new InvalidInputError(field, `A rotation period has ${DAYS.least} to ${DAYS.most} days.`);
}

/** When a key of this period is due again, counted from a rotation or from when the period was set. */
export function nextRotation(periodDays: number | null, from: Date): Date | null {
  return periodDays === null ? null : new Date(from.getTime() + periodDays * DAY_MS);
}
