import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { parseLocalTime } from '../../../src/policy/conditions/local-time.ts';

describe('parseLocalTime', () => {
  it.each([
    ['one digit', ['8:30', '08:3', '8:3', ':30', '08:']],
    ['other lengths', ['', '0830', '08', '008:30', '08:300', '08:30:00', '08:30Z', 'T08:30', '08:30 pm']],
    ['hours and minutes that no clock shows', ['24:01', '25:00', '08:60', '99:99', '29:00', '24:30']],
    [
      'signs, spaces and other separators',
      ['-1:30', '+8:30', ' 8:30', '08: 5', '08:30\n', '08.30', '08-30', '08\uff1a30'],
    ],
    ['digits of other scripts', ['\u0660\u0668:\u0663\u0660', '\uff10\uff18:\uff13\uff10']],
  ])('refuses %s', (_, texts) => {
    const roles = ['start', 'end'] as const;
    expect(texts.filter((text) => roles.some((role) => parseLocalTime(text, role) !== null))).toEqual([]);
  });

  it('refuses 24:00 as a start', () => {
    expect(parseLocalTime('24:00', 'start')).toBeNull();
  });

  it('reads 24:00 as the end of the day', () => {
    expect(parseLocalTime('24:00', 'end')).toBe(1440);
  });

  it('reads every minute of the day in both roles, and no other text of five characters', () => {
    const minutes = Array.from({ length: 1440 }, (_, minute) => minute);
    const text = (minute: number) =>
      `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`;
    for (const role of ['start', 'end'] as const) {
      expect(minutes.map((minute) => parseLocalTime(text(minute), role))).toEqual(minutes);
    }
    const known = new Set(minutes.map(text));
    const character = fc.constantFrom(...'0123456789:'.split(''));
    fc.assert(
      fc.property(fc.string({ unit: character, minLength: 5, maxLength: 5 }), (candidate) => {
        expect(parseLocalTime(candidate, 'start') !== null).toBe(known.has(candidate));
      }),
    );
  });
});
