import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DecryptionFailedError } from '../../../src/errors.ts';
import { decodeEntries, encodeEntries } from '../../../src/kms/envelope/entries.ts';

const entries = fc.uniqueArray(
  fc.record({
    name: fc.stringMatching(/^[A-Za-z0-9_.-]{0,128}$/),
    sealed: fc.uint8Array({ maxLength: 100 }),
  }),
  { selector: ({ name }) => name, minLength: 1, maxLength: 10 },
);
const plain = (decoded: ReadonlyMap<string, Uint8Array>) =>
  [...decoded].map(([name, sealed]) => ({ name, sealed: Buffer.from(sealed).toString('hex') }));

/** What decodes is what `encodeEntries` writes: the bytes come back, so that no two stored forms mean the same. */
function expectRefusedOrExact(stored: Uint8Array): void {
  let decoded: ReadonlyMap<string, Uint8Array>;
  try {
    decoded = decodeEntries(stored);
  } catch (error) {
    expect(error).toBeInstanceOf(DecryptionFailedError);
    return;
  }
  const again = encodeEntries([...decoded].map(([name, sealed]) => ({ name, sealed })));
  expect(again.equals(stored)).toBe(true);
}

describe('decodeEntries', () => {
  it.each([
    ['nothing', ''],
    ['no entry', '01'],
    ['another format byte', '0200' + '00000000'],
    ['a name cut short', '0105' + '6162'],
    ['no length', '010161'],
    ['a length cut short', '010161' + '000000'],
    ['a body cut short', '010161' + '00000002' + 'ff'],
    ['a length of 4 GiB', '010161' + 'ffffffff' + 'ff'],
    ['a name given twice', '01' + '016100000001ff' + '016100000001ff'],
    ['a byte too many', '01' + '016100000001ff' + '00'],
  ])('refuses %s', (_what, hex) => {
    expect(() => decodeEntries(Buffer.from(hex, 'hex'))).toThrow(DecryptionFailedError);
  });

  it('throws nothing but DecryptionFailedError on garbage, and reads nothing that encodeEntries does not write', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), expectRefusedOrExact), { numRuns: 2000 });
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (rest) => {
        expectRefusedOrExact(Buffer.concat([Buffer.of(1), rest]));
      }),
      { numRuns: 2000 },
    );
  });

  it('reads a stored form with any bit flipped as another, or not at all', () => {
    const stored = encodeEntries([
      { name: 'ab', sealed: Buffer.from('one') },
      { name: 'c', sealed: Buffer.from('two') },
    ]);
    for (let bit = 0; bit < stored.byteLength * 8; bit++) {
      const flipped = Buffer.from(stored);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expectRefusedOrExact(flipped);
    }
  });

  it('returns what was encoded, in its order', () => {
    fc.assert(
      fc.property(entries, (list) => {
        const expected = list.map(({ name, sealed }) => ({
          name,
          sealed: Buffer.from(sealed).toString('hex'),
        }));
        expect(plain(decodeEntries(encodeEntries(list)))).toEqual(expected);
      }),
    );
  });

  it('reads its own bytes only, of memory that others share', () => {
    const stored = encodeEntries([{ name: 'a', sealed: Buffer.from('x') }]);
    const shared = Buffer.concat([Buffer.from('before'), stored, Buffer.from('after')]);
    expect(
      plain(decodeEntries(new Uint8Array(shared.buffer, shared.byteOffset + 6, stored.byteLength))),
    ).toEqual([{ name: 'a', sealed: '78' }]);
  });
});
