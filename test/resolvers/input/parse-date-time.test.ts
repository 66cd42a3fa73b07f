import { describe, expect, it } from 'vitest';
import { parseDateTime } from '../../../src/resolvers/input/parse-date-time.ts';
import { CANARY, refusedAt } from './refusal.ts';

const FIELD = ['input', 'after'];

describe('parseDateTime', () => {
  it.each([
    ['', CANARY, `2030-01-01T00:00:00Z${CANARY}`, ' 2030-01-01T00:00:00Z', '2030-01-01T00:00:00Z\n'],
    ['2030-02-30T00:00:00Z', '2030-02-29T00:00:00Z', '2100-02-29T00:00:00Z', '2030-04-31T00:00:00Z'],
    ['2030-13-01T00:00:00Z', '2030-00-01T00:00:00Z', '2030-01-00T00:00:00Z', '2030-01-32T00:00:00Z'],
    ['2030-01-01T24:00:00Z', '2030-01-01T25:00:00Z', '2030-01-01T00:60:00Z', '2030-01-01T00:00:61Z'],
    ['2016-12-31T23:59:60Z', '2030-01-01T00:00:60Z'],
    ['2030-01-01T00:00:00', '2030-01-01T00:00Z', '2030-01-01', '2030-01-01 00:00:00Z', '2030-1-1T00:00:00Z'],
    ['2030-01-01T00:00:00+24:00', '2030-01-01T00:00:00+12:60', '2030-01-01T00:00:00+99:99'],
    [
      '2030-01-01T00:00:00+01',
      '2030-01-01T00:00:00+0100',
      '2030-01-01T00:00:00CET',
      '2030-01-01T00:00:00 +01:00',
    ],
    ['2030-01-01T00:00:00.Z', '2030-01-01T00:00:00,5Z', '2030-01-01T00:00:00.1234567890Z'],
    [
      '+002030-01-01T00:00:00Z',
      '-002030-01-01T00:00:00Z',
      '12030-01-01T00:00:00Z',
      '1893456000',
      '2030-W01-1',
    ],
    ['\uff12030-01-01T00:00:00Z', '2030-01-01T00:00:00\u2212' + '01:00', 'Tue, 01 Jan 2030 00:00:00 GMT'],
  ])('refuses %s and its like', (...texts) => {
    for (const text of texts) expect(refusedAt(() => parseDateTime(text, FIELD), 'RFC 3339')).toEqual(FIELD);
  });

  it.each([
    ['2030-01-31T23:59:59.000Z', '2030-01-31T23:59:59.000Z'],
    ['2028-02-29T00:00:00Z', '2028-02-29T00:00:00.000Z'],
    ['2000-02-29T00:00:00Z', '2000-02-29T00:00:00.000Z'],
    ['2030-01-01T00:00:00+01:00', '2029-12-31T23:00:00.000Z'],
    ['2030-01-01T00:00:00-05:30', '2030-01-01T05:30:00.000Z'],
    ['2030-01-01T00:00:00-00:00', '2030-01-01T00:00:00.000Z'],
    ['2030-01-01T00:00:00.5Z', '2030-01-01T00:00:00.500Z'],
    ['2030-01-01T00:00:00.123456789Z', '2030-01-01T00:00:00.123Z'],
    ['9999-12-31T23:59:59.999Z', '9999-12-31T23:59:59.999Z'],
  ])('reads %s', (text, instant) => {
    expect(parseDateTime(text, FIELD).toISOString()).toBe(instant);
  });

  it('accepts of each month exactly its days', () => {
    for (const year of [2028, 2030]) {
      for (let month = 1; month <= 12; month++) {
        for (let day = 1; day <= 31; day++) {
          const date = `${year}-${String(month).padStart(2, '0')}-${String(day).padStart(2, '0')}`;
          const exists = new Date(Date.UTC(year, month - 1, day)).getUTCMonth() === month - 1;
          const parse = () => parseDateTime(`${date}T12:00:00Z`, FIELD);
          if (exists) expect(parse().toISOString().slice(0, 10)).toBe(date);
          else refusedAt(parse);
        }
      }
    }
  });
});
