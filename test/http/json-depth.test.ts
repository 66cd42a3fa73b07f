import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isTooDeep, MAX_JSON_DEPTH } from '../../src/http/json-depth.ts';

const nested = (depth: number) => Buffer.from('['.repeat(depth) + ']'.repeat(depth));

test('JSON is refused past 64 levels, however wide', () => {
  expect(isTooDeep(nested(MAX_JSON_DEPTH + 1))).toBe(true);
  expect(isTooDeep(Buffer.from('{"a":'.repeat(MAX_JSON_DEPTH + 1)))).toBe(true);
  expect(isTooDeep(nested(MAX_JSON_DEPTH))).toBe(false);
});

test('brackets in strings are no levels, escaped quotes end none', () => {
  expect(isTooDeep(Buffer.from(JSON.stringify({ a: '['.repeat(1000), b: '\\"[{'.repeat(100) })))).toBe(false);
  expect(isTooDeep(Buffer.from(`["\\\\",${'['.repeat(MAX_JSON_DEPTH)}`))).toBe(true);
});

test('any JSON value is as deep as its nesting', () => {
  const depthOf = (value: unknown): number =>
    typeof value === 'object' && value !== null ? 1 + Math.max(0, ...Object.values(value).map(depthOf)) : 0;
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6 }), fc.integer({ min: 55, max: 64 }), (value, wrap) => {
      const json = '['.repeat(wrap) + JSON.stringify(value) + ']'.repeat(wrap);
      expect(isTooDeep(Buffer.from(json))).toBe(wrap + depthOf(value) > MAX_JSON_DEPTH);
    }),
  );
});
