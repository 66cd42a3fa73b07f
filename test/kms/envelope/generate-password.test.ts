import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  CHARACTER_TYPES,
  characterSet,
  generatePassword,
} from '../../../src/kms/envelope/generate-password.ts';

const all = CHARACTER_TYPES.map((type) => characterSet(type, ''));
const someSets = fc
  .tuple(fc.subarray([...CHARACTER_TYPES], { minLength: 1 }), fc.string({ maxLength: 10 }))
  .map(([types, excluded]) => ({ excluded, sets: types.map((type) => characterSet(type, excluded)) }))
  .filter(({ sets }) => sets.every((set) => set !== ''));

describe('the characters of a type', () => {
  it('are together the 94 printable ones of ASCII, each once', () => {
    const printable = Array.from({ length: 94 }, (_, index) => String.fromCharCode(33 + index));
    expect(Array.from(all.join('')).sort()).toEqual(printable.sort());
  });

  it('leave out what is excluded, whatever it is', () => {
    expect(characterSet('digits', '0O1l')).toBe('23456789');
    expect(characterSet('digits', '0123456789')).toBe('');
    expect(characterSet('symbols', ']^\\-')).not.toMatch(/[\]^\\-]/);
    expect(characterSet('digits', '0-9')).toBe('12345678');
  });
});

describe('generatePassword', () => {
  it('never has a character that is excluded, or of no set', () => {
    fc.assert(
      fc.property(
        someSets,
        fc.integer({ min: 4, max: 200 }),
        fc.boolean(),
        ({ sets, excluded }, length, each) => {
          const characters = Array.from(generatePassword(length, sets, each).toString('ascii'));
          expect(characters.every((character) => sets.join('').includes(character))).toBe(true);
          expect(characters.some((character) => excluded.includes(character))).toBe(false);
        },
      ),
    );
  });

  it('has exactly the length asked for', () => {
    fc.assert(
      fc.property(someSets, fc.integer({ min: 4, max: 1024 }), ({ sets }, length) => {
        expect(generatePassword(length, sets, false).byteLength).toBe(length);
      }),
    );
  });

  it('has one of each set where that is required, even with no room to spare', () => {
    for (let round = 0; round < 200; round++) {
      const password = generatePassword(4, all, true).toString('ascii');
      for (const set of all)
        expect(Array.from(password).some((character) => set.includes(character))).toBe(true);
    }
  });

  it('does without one of each set where that is not required', () => {
    const passwords = Array.from({ length: 200 }, () => generatePassword(4, all, false).toString('ascii'));
    const digits = /[0-9]/;
    expect(passwords.some((password) => !digits.test(password))).toBe(true);
  });

  it('puts what is required anywhere, not in a place of its own', () => {
    const places = new Set<number>();
    for (let round = 0; round < 500; round++) {
      places.add(generatePassword(8, ['abcdefghij', '0'], true).indexOf('0'));
    }
    expect([...places].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  /**
   * Chi-square over the alphabet, against mean + 7 standard deviations: a fair source fails once in far more than a
   * billion runs. A byte taken modulo 94 would favour 68 characters 3 to 2, and score above 1,000 where about 93 is fair.
   */
  it('draws every character equally often', () => {
    const alphabet = all.join('');
    const draws = 40_000;
    const counts = new Map<string, number>(Array.from(alphabet, (character) => [character, 0] as const));
    for (let round = 0; round < draws / 1000; round++) {
      for (const character of generatePassword(1000, all, false).toString('ascii')) {
        counts.set(character, (counts.get(character) ?? 0) + 1);
      }
    }
    const expected = draws / alphabet.length;
    const chiSquare = [...counts.values()].reduce(
      (sum, count) => sum + (count - expected) ** 2 / expected,
      0,
    );
    const freedom = alphabet.length - 1;
    expect(counts.size).toBe(94);
    expect(chiSquare).toBeLessThan(freedom + 7 * Math.sqrt(2 * freedom));
  });

  it('draws passwords that hold one of each equally often too', () => {
    const counts = new Map<string, number>();
    const draws = 12_000;
    for (let round = 0; round < draws; round++) {
      const password = generatePassword(3, ['ab', 'c'], true).toString('ascii');
      counts.set(password, (counts.get(password) ?? 0) + 1);
    }
    // 27 words over a b c, less the 8 without c and the one without a and b.
    expect(counts.size).toBe(18);
    const expected = draws / 18;
    const chiSquare = [...counts.values()].reduce(
      (sum, count) => sum + (count - expected) ** 2 / expected,
      0,
    );
    expect(chiSquare).toBeLessThan(17 + 8 * Math.sqrt(2 * 17));
  });
});
