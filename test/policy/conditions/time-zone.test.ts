import fc from 'fast-check';
import { Temporal } from 'temporal-polyfill';
import { describe, expect, it } from 'vitest';

import { isTimeZone, wallClock, WEEKDAYS } from '../../../src/policy/conditions/time-zone.ts';

const at = (instant: string, zone: string) => {
  const { weekday, minute } = wallClock(new Date(instant), zone);
  const [hours, minutes] = [Math.floor(minute / 60), minute % 60].map((n) => String(n).padStart(2, '0'));
  return `${weekday} ${hours ?? ''}:${minutes ?? ''}`;
};

describe('isTimeZone', () => {
  it.each([
    ['offsets', ['+02:00', '-0800', '+02', '-00:00', 'UTC+2', 'GMT+2', 'Z', '02:00', 'Etc/GMT+99']],
    [
      'another case than the exact one',
      ['utc', 'Utc', 'europe/amsterdam', 'Europe/amsterdam', 'EUROPE/KYIV', 'gmt', 'us/Pacific'],
    ],
    ["ICU's own abbreviations", ['PST', 'CST', 'IST', 'ACT', 'JST', 'SystemV/PST8', 'AET']],
    [
      'unknown names',
      ['Europe/Atlantis', 'Mars/Olympus', 'Factory', 'localtime', 'Etc/Unknown', 'Amsterdam'],
    ],
    [
      'white space and other junk',
      ['', ' ', ' UTC', 'UTC ', 'UTC\n', 'UTC\0', 'Europe/Amsterdam/', '/UTC', 'Europe//Amsterdam', '../UTC'],
    ],
    ['names of objects', ['constructor', '__proto__', 'toString', 'Object']],
    ['annotated date-times', ['2020-01-01T00:00Z[UTC]', '[UTC]', 'U[UTC]', 'UTC[u-ca=gregory]']],
    ['text of any length', ['A'.repeat(1_000_000), `Europe/${'a'.repeat(100)}`]],
  ])('refuses %s', (_, names) => {
    expect(names.filter(isTimeZone)).toEqual([]);
  });

  it('accepts zones and links in their IANA spelling', () => {
    const names = [
      ...['UTC', 'Etc/UTC', 'GMT', 'Etc/GMT+5', 'EST5EDT', 'Europe/Amsterdam', 'Europe/Kyiv', 'Europe/Kiev'],
      ...[
        'Asia/Kolkata',
        'Asia/Calcutta',
        'Asia/Kathmandu',
        'America/Argentina/ComodRivadavia',
        'US/Pacific',
      ],
      ...[
        'America/Port-au-Prince',
        'Antarctica/DumontDUrville',
        'Australia/ACT',
        'GB-Eire',
        'America/North_Dakota/New_Salem',
      ],
    ];
    expect(names.filter((name) => !isTimeZone(name))).toEqual([]);
  });

  it('accepts every zone that Intl lists', () => {
    expect(Intl.supportedValuesOf('timeZone').filter((name) => !isTimeZone(name))).toEqual([]);
  });
});

describe('wallClock', () => {
  it('throws for an unknown zone and for an invalid date', () => {
    expect(() => wallClock(new Date(0), 'Europe/Atlantis')).toThrow(RangeError);
    expect(() => wallClock(new Date(Number.NaN), 'UTC')).toThrow(RangeError);
  });

  it('shows midnight as minute 0 of the new day', () => {
    expect(wallClock(new Date('2026-01-04T23:59:59.999Z'), 'UTC')).toEqual({
      weekday: 'SUNDAY',
      minute: 1439,
    });
    expect(wallClock(new Date('2026-01-05T00:00:00.000Z'), 'UTC')).toEqual({ weekday: 'MONDAY', minute: 0 });
    expect(at('2026-01-04T23:00:00Z', 'Europe/Amsterdam')).toBe('MONDAY 00:00');
  });

  it.each([
    ['Europe/Amsterdam', '2026-03-29T01:00:00Z', 'SUNDAY 01:59', 'SUNDAY 03:00'],
    ['Europe/Amsterdam', '2026-10-25T01:00:00Z', 'SUNDAY 02:59', 'SUNDAY 02:00'],
    ['America/New_York', '2026-03-08T07:00:00Z', 'SUNDAY 01:59', 'SUNDAY 03:00'],
    ['America/New_York', '2026-11-01T06:00:00Z', 'SUNDAY 01:59', 'SUNDAY 01:00'],
    ['Australia/Lord_Howe', '2026-10-03T15:30:00Z', 'SUNDAY 01:59', 'SUNDAY 02:30'],
    ['Australia/Lord_Howe', '2026-04-04T15:00:00Z', 'SUNDAY 01:59', 'SUNDAY 01:30'],
    ['Pacific/Apia', '2011-12-30T10:00:00Z', 'THURSDAY 23:59', 'SATURDAY 00:00'],
  ])('is right on both sides of the change in %s at %s', (zone, change, before, after) => {
    expect(at(new Date(Date.parse(change) - 1).toISOString(), zone)).toBe(before);
    expect(at(change, zone)).toBe(after);
  });

  it.each([
    ['Asia/Kathmandu', 'MONDAY 17:45'],
    ['Asia/Kolkata', 'MONDAY 17:30'],
    ['Pacific/Chatham', 'TUESDAY 01:45'],
    ['Pacific/Apia', 'TUESDAY 01:00'],
    ['Pacific/Kiritimati', 'TUESDAY 02:00'],
    ['Etc/GMT+12', 'MONDAY 00:00'],
    ['America/St_Johns', 'MONDAY 08:30'],
  ])('knows the offset of %s', (zone, expected) => {
    expect(at('2026-01-05T12:00:00Z', zone)).toBe(expected);
  });

  it('agrees with Temporal in every zone, also once the cached formatters are replaced', () => {
    const zone = fc.constantFrom('UTC', ...Intl.supportedValuesOf('timeZone'));
    const instant = fc.date({
      min: new Date('1980-01-01'),
      max: new Date('2040-01-01'),
      noInvalidDate: true,
    });
    fc.assert(
      fc.property(zone, instant, (timeZone, date) => {
        const zoned = Temporal.Instant.fromEpochMilliseconds(date.getTime()).toZonedDateTimeISO(timeZone);
        expect(wallClock(date, timeZone)).toEqual({
          weekday: WEEKDAYS[zoned.dayOfWeek - 1],
          minute: zoned.hour * 60 + zoned.minute,
        });
      }),
      { numRuns: 1_000 },
    );
  });
});
