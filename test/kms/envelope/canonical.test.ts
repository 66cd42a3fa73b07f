import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonical } from '../../../src/kms/envelope/canonical.ts';

const field = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 6 }),
  fc.constantFrom('', 'a', 'ab', 'b', '\0', '\0\0\0\u0001a'),
);

describe('canonical', () => {
  it('never encodes two different lists alike', () => {
    fc.assert(
      fc.property(fc.array(field, { maxLength: 5 }), fc.array(field, { maxLength: 5 }), (one, other) => {
        expect(canonical(one).equals(canonical(other))).toBe(isDeepStrictEqual(one, other));
      }),
      { numRuns: 2000 },
    );
  });

  it('moves no character over the border between two fields', () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 1, unit: 'grapheme-ascii' }),
        fc.nat(),
        fc.nat(),
        (text, first, second) => {
          const [one, other] = [first, second].map((at) => at % (text.length + 1));
          const split = (at = 0) => canonical([text.slice(0, at), text.slice(at)]);
          expect(split(one).equals(split(other))).toBe(one === other);
        },
      ),
    );
  });

  it('is no encoding of a list that another one starts', () => {
    expect(canonical([]).equals(canonical(['']))).toBe(false);
    expect(canonical(['a']).equals(canonical(['a', '']))).toBe(false);
    expect(canonical([canonical(['a', 'b'])]).equals(canonical(['a', 'b']))).toBe(false);
  });

  it('is the length in four bytes, big-endian, and the bytes', () => {
    expect(canonical(['ä', 12, Buffer.of(0xff)]).toString('hex')).toBe(
      '00000002c3a4' + '000000023132' + '00000001ff',
    );
  });
});
