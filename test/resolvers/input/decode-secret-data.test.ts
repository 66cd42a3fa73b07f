import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeSecretData, MAX_VALUE_BYTES } from '../../../src/resolvers/input/decode-secret-data.ts';
import { CANARY, refusedAt } from './refusal.ts';

const FIELD = ['input', 'secretString'];
const canary = Buffer.from(CANARY).toString('base64');
const base64 = (byteLength: number) => Buffer.alloc(byteLength, 0xa5).toString('base64');

describe('decodeSecretData', () => {
  it.each([
    ['plain text', CANARY],
    ['the URL-safe alphabet', '-_-_'],
    ['a part of the URL-safe alphabet', '++-/'],
    ['missing padding', 'YQ'],
    ['padding cut short', 'YQ='],
    ['too much padding', 'YWI=='],
    ['padding alone', '===='],
    ['padding in the middle', 'YQ==YQ=='],
    ['a space before', ` ${canary}`],
    ['a line end after', `${canary}\n`],
    ['a line end inside', 'YWJj\r\nYWJj'],
    ['trailing bits with two paddings', 'YR=='],
    ['trailing bits with one padding', 'YWJ='],
    ['one character', 'Y'],
    ['five characters', 'YWJjZ'],
    ['a data URL', `data:text/plain;base64,${canary}`],
    ['hexadecimal with a prefix', '0xcafe'],
    ['a NUL', 'YWJ\0'],
    ['a fullwidth letter', 'YWJ\uff21'],
    ['half a surrogate pair', 'YWJ\ud800'],
  ])('refuses %s', (_what, text) => {
    expect(refusedAt(() => decodeSecretData(text, FIELD), 'RFC 4648')).toEqual(FIELD);
  });

  it.each([1, 2, 3])('refuses 64 KiB and %i bytes', (more) => {
    expect(refusedAt(() => decodeSecretData(base64(MAX_VALUE_BYTES + more), FIELD), '65536')).toEqual(FIELD);
  });

  it('refuses a very long text at once', () => {
    const started = performance.now();
    refusedAt(() => decodeSecretData(CANARY.repeat(800_000), FIELD), '65536');
    expect(performance.now() - started).toBeLessThan(500);
  });

  it('returns up to 64 KiB', () => {
    for (const length of [0, MAX_VALUE_BYTES - 2, MAX_VALUE_BYTES - 1, MAX_VALUE_BYTES]) {
      expect(decodeSecretData(base64(length), FIELD).byteLength).toBe(length);
    }
  });

  it('reads "cafe" as base64', () => {
    expect(decodeSecretData('cafe', FIELD).reveal().toString('hex')).toBe('71a7de');
  });

  it('accepts exactly the text that encoding gives', () => {
    const texts = fc.oneof(
      fc.uint8Array().map((bytes) => Buffer.from(bytes).toString('base64')),
      fc
        .array(fc.constantFrom('A', 'B', 'Q', 'w', '+', '/', '=', '-', ' '), { maxLength: 9 })
        .map((all) => all.join('')),
    );
    fc.assert(
      fc.property(texts, (text) => {
        const canonical = Buffer.from(text, 'base64').toString('base64') === text;
        if (canonical) expect(decodeSecretData(text, FIELD).revealBase64()).toBe(text);
        else refusedAt(() => decodeSecretData(text, FIELD));
      }),
      { numRuns: 2000 },
    );
  });
});
