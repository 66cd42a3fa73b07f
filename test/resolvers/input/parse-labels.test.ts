import { describe, expect, it } from 'vitest';
import { parseAnnotations, parseLabels } from '../../../src/resolvers/input/parse-labels.ts';
import { CANARY, refusedAt } from './refusal.ts';

const FIELD = ['input', 'labels'];
const many = (length: number) => Array.from({ length }, (_, index) => ({ key: `k${index}`, value: '' }));

describe.each([
  ['parseLabels', parseLabels],
  ['parseAnnotations', parseAnnotations],
])('%s', (_name, parse) => {
  it.each([
    '',
    'a'.repeat(129),
    `${CANARY}\n`,
    `${CANARY}\0`,
    `${CANARY}\t`,
    `${CANARY}\u007f`,
    `${CANARY}\ud800`,
  ])('refuses the key %j', (key) => {
    const pairs = [
      { key: 'a', value: CANARY },
      { key, value: CANARY },
    ];
    expect(refusedAt(() => parse(pairs, FIELD))).toEqual([...FIELD, '1', 'key']);
  });

  it.each([`${CANARY}\0`, `${CANARY}\u001b[2J`, `${CANARY}\udc00`])('refuses the value %j', (value) => {
    expect(refusedAt(() => parse([{ key: CANARY, value }], FIELD))).toEqual([...FIELD, '0', 'value']);
  });

  it('refuses a key that is given twice', () => {
    const pairs = [
      { key: CANARY, value: '1' },
      { key: 'b', value: '2' },
      { key: CANARY, value: '1' },
    ];
    expect(refusedAt(() => parse(pairs, FIELD))).toEqual([...FIELD, '2', 'key']);
  });

  it('returns them by key, names of JavaScript like others', () => {
    const keys = ['a', 'A', 'a'.repeat(128), '__proto__', 'constructor', 'ключ 🔑'];
    const parsed = parse(
      keys.map((key) => ({ key, value: 'line\n\ttwo' })),
      FIELD,
    );
    expect(Object.entries(parsed)).toEqual(keys.map((key) => [key, 'line\n\ttwo']));
    expect(Object.getPrototypeOf(parsed)).toBe(Object.prototype);
    expect(parse([], FIELD)).toEqual({});
  });
});

describe('parseLabels', () => {
  it('refuses 65 labels and takes 64', () => {
    expect(refusedAt(() => parseLabels(many(65), FIELD), '64')).toEqual(FIELD);
    expect(Object.keys(parseLabels(many(64), FIELD))).toHaveLength(64);
  });

  it('refuses a value of 257 characters and takes 256', () => {
    const labels = (length: number) => [
      { key: 'a', value: '' },
      { key: 'b', value: 'x'.repeat(length) },
    ];
    expect(refusedAt(() => parseLabels(labels(257), FIELD), '256')).toEqual([...FIELD, '1', 'value']);
    expect(parseLabels(labels(256), FIELD)['b']).toHaveLength(256);
  });
});

describe('parseAnnotations', () => {
  it('refuses 16 KiB and a byte in all, keys counted, as UTF-8', () => {
    const of = (length: number) => [{ key: 'ab', value: 'x'.repeat(length - 2) }];
    expect(refusedAt(() => parseAnnotations(of(16_385), FIELD), '16384')).toEqual(FIELD);
    expect(refusedAt(() => parseAnnotations([{ key: 'ab', value: 'ä'.repeat(8192) }], FIELD))).toEqual(FIELD);
    expect(parseAnnotations(of(16_384), FIELD)['ab']).toHaveLength(16_382);
    expect(Object.keys(parseAnnotations(many(65), FIELD))).toHaveLength(65);
  });
});
