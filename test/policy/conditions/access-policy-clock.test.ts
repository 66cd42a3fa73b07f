import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { evaluateAccessPolicy, type TimeCondition } from '../../../src/policy/conditions/access-policy.ts';
import { WEEKDAYS } from '../../../src/policy/conditions/time-zone.ts';

const MINUTE_MS = 60_000;
const DAY_MINUTES = 1_440;
/** 1 January 1970 was a Thursday. */
const FIRST_WEEKDAY = 3;

/**
 * The oracle: what a clock on the wall shows as minutes since 1970 on that very wall, from the zone's offset as Intl names
 * it. Days are counted, not asked for, and windows lie on one line: no code or idea is shared with what is tested.
 */
const offsets = new Map<string, Intl.DateTimeFormat>();
function offsetOf(timeZone: string, at: number): number {
  const known = offsets.get(timeZone);
  const format = known ?? new Intl.DateTimeFormat('en', { timeZone, timeZoneName: 'longOffset' });
  offsets.set(timeZone, format);
  const name = format.formatToParts(at).find(({ type }) => type === 'timeZoneName')?.value ?? '';
  const [, sign, hours, minutes] = /^GMT(?:([+-])(\d\d):(\d\d))?/.exec(name) ?? [];
  return (sign === '-' ? -1 : 1) * (Number(hours ?? 0) * 60 + Number(minutes ?? 0));
}

const minutesOf = (text: string) => Number(text.slice(0, 2)) * 60 + Number(text.slice(3));

function isOpen({ days, start, end, timeZone }: TimeCondition, at: number): boolean {
  const wall = Math.floor(at / MINUTE_MS) + offsetOf(timeZone, at);
  const today = Math.floor(wall / DAY_MINUTES);
  return [today - 1, today].some((day) => {
    const weekday = WEEKDAYS[(day + FIRST_WEEKDAY) % 7] ?? 'MONDAY';
    const opens = day * DAY_MINUTES + minutesOf(start);
    const closes = day * DAY_MINUTES + minutesOf(end) + (minutesOf(end) < minutesOf(start) ? DAY_MINUTES : 0);
    return (days.length === 0 || days.includes(weekday)) && opens <= wall && wall < closes;
  });
}

const allows = (condition: TimeCondition, at: number) =>
  evaluateAccessPolicy({ ip: [], time: [condition] }, { clientAddress: null, at: new Date(at) }).allowed;

/** The instants of a span at which the zone's offset changes, to the minute. */
function changesIn(timeZone: string, from: string, to: string): number[] {
  const found: number[] = [];
  const hour = 60 * MINUTE_MS;
  for (let at = Date.parse(from); at < Date.parse(to); at += 12 * hour) {
    let [low, high] = [at, at + 12 * hour];
    if (offsetOf(timeZone, low) === offsetOf(timeZone, high)) continue;
    while (high - low > MINUTE_MS) {
      const middle = low + Math.floor((high - low) / 2 / MINUTE_MS) * MINUTE_MS;
      if (offsetOf(timeZone, middle) === offsetOf(timeZone, low)) low = middle;
      else high = middle;
    }
    found.push(high);
  }
  return found;
}

const clockText = (minute: number) => {
  const within = ((minute % DAY_MINUTES) + DAY_MINUTES) % DAY_MINUTES;
  return [Math.floor(within / 60), within % 60].map((part) => String(part).padStart(2, '0')).join(':');
};

const CHANGING = [
  ...['Europe/Berlin', 'America/New_York', 'America/St_Johns', 'Pacific/Chatham'],
  // Half an hour; at midnight, so that a day has no first hour or two; backwards in winter; in the month of Ramadan.
  ...[
    'Australia/Lord_Howe',
    'America/Santiago',
    'Africa/Cairo',
    'Asia/Beirut',
    'Europe/Dublin',
    'Africa/Casablanca',
  ],
];

describe('a time condition', () => {
  it.each(CHANGING)(
    'in %s agrees minute by minute with the wall on both sides of every change of clocks',
    (timeZone) => {
      const changes = changesIn(timeZone, '2026-01-01', '2027-01-01');
      expect(changes.length).toBeGreaterThan(1);
      for (const change of changes) {
        const wall = Math.floor(change / MINUTE_MS) + offsetOf(timeZone, change - MINUTE_MS);
        const weekday = WEEKDAYS[(Math.floor(wall / DAY_MINUTES) + FIRST_WEEKDAY) % 7] ?? 'MONDAY';
        // Windows that begin, end, or lie wholly in the hour that is left out or comes twice.
        for (const [from, length] of [
          [-60, 60],
          [-30, 45],
          [0, 30],
          [0, 60],
          [15, 20],
          [30, 600],
          [-600, 615],
        ] as const) {
          for (const days of [[], [weekday]]) {
            const [start, end] = [clockText(wall + from), clockText(wall + from + length)];
            const condition = { effect: 'ALLOW', days, start, end, timeZone } as const;
            for (let at = change - 100 * MINUTE_MS; at <= change + 100 * MINUTE_MS; at += MINUTE_MS) {
              const told = `${start} to ${end} on ${days.join() || 'any day'} at ${new Date(at).toISOString()}`;
              if (allows(condition, at) !== isOpen(condition, at)) expect.fail(told);
            }
          }
        }
      }
    },
  );

  it('in the half hour that Lord Howe leaves out never opens, and in the one that comes twice opens twice', () => {
    const [autumn = 0, spring = 0] = changesIn('Australia/Lord_Howe', '2026-01-01', '2027-01-01');
    const openMinutes = (start: string, end: string, around: number) => {
      const condition = { effect: 'ALLOW', days: [], start, end, timeZone: 'Australia/Lord_Howe' } as const;
      return Array.from({ length: 241 }, (_, i) => around + (i - 120) * MINUTE_MS).filter((at) =>
        allows(condition, at),
      ).length;
    };
    expect(openMinutes('02:00', '02:30', spring)).toBe(0);
    expect(openMinutes('01:30', '02:00', autumn)).toBe(60);
    expect(openMinutes('01:00', '01:30', autumn)).toBe(30);
  });

  it('in a zone that never changes its clocks is open for the same minutes every day of the year', () => {
    expect(changesIn('Asia/Kolkata', '2026-01-01', '2027-01-01')).toEqual([]);
    const condition = {
      effect: 'ALLOW',
      days: [],
      start: '09:15',
      end: '09:17',
      timeZone: 'Asia/Kolkata',
    } as const;
    for (let day = 0; day < 365; day++) {
      const opens = Date.parse('2026-01-01T03:45:00Z') + day * DAY_MINUTES * MINUTE_MS;
      const seen = [-1, 0, 1, 2].map((minute) => allows(condition, opens + minute * MINUTE_MS));
      expect(seen).toEqual([false, true, true, false]);
    }
  });

  it('agrees with the wall at any instant, in any zone there is, for any window and days', () => {
    const minute = fc.nat(DAY_MINUTES - 1);
    fc.assert(
      fc.property(
        fc.constantFrom('UTC', ...Intl.supportedValuesOf('timeZone')),
        fc.date({ min: new Date('2015-01-01'), max: new Date('2037-01-01'), noInvalidDate: true }),
        minute,
        minute,
        fc.subarray([...WEEKDAYS]),
        (timeZone, date, start, end, days) => {
          fc.pre(start !== end);
          const condition = {
            effect: 'ALLOW',
            days,
            start: clockText(start),
            end: clockText(end),
            timeZone,
          } as const;
          expect(allows(condition, date.getTime())).toBe(isOpen(condition, date.getTime()));
          // And at the very edges, which random instants hardly meet.
          const wall = Math.floor(date.getTime() / MINUTE_MS) + offsetOf(timeZone, date.getTime());
          for (const edge of [start, end]) {
            const at = date.getTime() + (edge - (wall % DAY_MINUTES)) * MINUTE_MS;
            for (const beside of [at - MINUTE_MS, at, at + MINUTE_MS]) {
              expect(allows(condition, beside)).toBe(isOpen(condition, beside));
            }
          }
        },
      ),
      { numRuns: 1_000 },
    );
  });
});
