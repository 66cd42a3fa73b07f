import { describe, expect, it } from 'vitest';
import { parseDescription } from '../../../src/resolvers/input/parse-description.ts';
import { parseIdempotencyKey } from '../../../src/resolvers/input/parse-idempotency-key.ts';
import { requireCleanText } from '../../../src/resolvers/input/require-clean-text.ts';
import { CANARY, refusedAt } from './refusal.ts';

const FIELD = ['input', 'text'];
const ALWAYS_REFUSED = [
  ...Array.from({ length: 0x20 }, (_, code) => code).filter((code) => ![0x09, 0x0a, 0x0d].includes(code)),
  0x7f,
].map((code) => `${CANARY}${String.fromCharCode(code)}`);
const HALVES = [`${CANARY}\ud800`, `\udc00${CANARY}`, `\udc00\ud800${CANARY}`];
const LINE_ENDS = [`${CANARY}\t`, `${CANARY}\n`, `${CANARY}\r`];

describe('requireCleanText', () => {
  it.each(['line', 'text'] as const)(
    'refuses control characters and halves of surrogate pairs in a %s',
    (kind) => {
      for (const text of [...ALWAYS_REFUSED, ...HALVES]) {
        expect(refusedAt(() => requireCleanText(text, FIELD, kind), 'well-formed Unicode')).toEqual(FIELD);
      }
    },
  );

  it('refuses tabs and line ends in a line, not in a text', () => {
    for (const text of LINE_ENDS) {
      refusedAt(() => requireCleanText(text, FIELD, 'line'));
      expect(() => requireCleanText(text, FIELD, 'text')).not.toThrow();
    }
  });

  it('takes any other character', () => {
    for (const kind of ['line', 'text'] as const) {
      expect(() => requireCleanText('Straße 🔑 \u200f‮ "quoted" \\', FIELD, kind)).not.toThrow();
    }
  });
});

describe('parseDescription', () => {
  it('refuses 1,025 characters and what is not clean', () => {
    expect(refusedAt(() => parseDescription('x'.repeat(1025), FIELD), '1024')).toEqual(FIELD);
    for (const text of [...ALWAYS_REFUSED, ...HALVES])
      expect(refusedAt(() => parseDescription(text, FIELD))).toEqual(FIELD);
  });

  it('takes 1,024 characters, lines and none, and returns null for null', () => {
    for (const text of ['x'.repeat(1024), 'two\nlines', '']) expect(parseDescription(text, FIELD)).toBe(text);
    expect(parseDescription(null, FIELD)).toBeNull();
    expect(parseDescription(undefined, FIELD)).toBeNull();
  });
});

describe('parseIdempotencyKey', () => {
  it('refuses none, 129 characters and what is not one clean line', () => {
    for (const key of ['', 'x'.repeat(129)]) {
      expect(refusedAt(() => parseIdempotencyKey(key, FIELD), '1 to 128')).toEqual(FIELD);
    }
    for (const key of [...ALWAYS_REFUSED, ...HALVES, ...LINE_ENDS]) {
      expect(refusedAt(() => parseIdempotencyKey(key, FIELD))).toEqual(FIELD);
    }
  });

  it('takes 1 to 128 characters as they are, and returns null for null', () => {
    for (const key of ['x', ' ', 'x'.repeat(128), 'Ключ']) expect(parseIdempotencyKey(key, FIELD)).toBe(key);
    expect(parseIdempotencyKey(null, FIELD)).toBeNull();
    expect(parseIdempotencyKey(undefined, FIELD)).toBeNull();
  });
});
