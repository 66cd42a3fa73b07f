import { Temporal } from 'temporal-polyfill';

export const WEEKDAYS = [
  'MONDAY',
  'TUESDAY',
  'WEDNESDAY',
  'THURSDAY',
  'FRIDAY',
  'SATURDAY',
  'SUNDAY',
] as const;
export type Weekday = (typeof WEEKDAYS)[number];

/** What a clock on the wall shows: `minute` counts from midnight, 0 to 1439. */
export interface WallClock {
  readonly weekday: Weekday;
  readonly minute: number;
}

/** Starts with a capital, so no offset such as `+02:00`. The longest IANA name has 32 characters. */
const NAME = /^[A-Z][A-Za-z0-9/_+-]{0,63}$/;
const MAX_FORMATTERS = 100;

/**
 * Whether this is a zone or link of the IANA database in its exact spelling, known to this runtime. Intl alone is too
 * lenient: it takes any case, offsets, and ICU's own abbreviations (`CST`, which is Chicago there and Shanghai to
 * others). Nor can it tell the spelling, since it answers with CLDR's name (`Asia/Calcutta` for `Asia/Kolkata`);
 * Temporal keeps the name and mends its case.
 */
export function isTimeZone(name: string): boolean {
  if (!NAME.test(name)) return false;
  try {
    return new Temporal.ZonedDateTime(0n, name).timeZoneId === name;
  } catch {
    return false;
  }
}

/** The wall clock of the zone at the instant. Throws RangeError for an unknown zone or an invalid Date. */
export function wallClock(instant: Date, zone: string): WallClock {
  const parts = new Map(
    formatterOf(zone)
      .formatToParts(instant)
      .map(({ type, value }) => [type, value]),
  );
  const weekday = WEEKDAYS.find((day) => day === parts.get('weekday')?.toUpperCase());
  const minute = Number(parts.get('hour')) * 60 + Number(parts.get('minute'));
  if (weekday === undefined || !Number.isInteger(minute)) throw new RangeError('Intl gave no wall clock.');
  return { weekday, minute };
}

/** Making one takes some 20 times as long as using it. */
const formatters = new Map<string, Intl.DateTimeFormat>();

function formatterOf(zone: string): Intl.DateTimeFormat {
  const known = formatters.get(zone);
  if (known !== undefined) return known;
  const made = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    calendar: 'gregory',
    numberingSystem: 'latn',
    hourCycle: 'h23',
    weekday: 'long',
    hour: '2-digit',
    minute: '2-digit',
  });
  const [oldest] = formatters.keys();
  if (oldest !== undefined && formatters.size >= MAX_FORMATTERS) formatters.delete(oldest);
  formatters.set(zone, made);
  return made;
}
