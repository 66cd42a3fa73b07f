import fc from 'fast-check';
import { expect, test } from 'vitest';
import { allOf, anyOf } from '../../src/db/name-expression.ts';
import { type NamePattern, namePattern } from '../../src/policy/name-pattern.ts';
import { matchesSegments, type Pattern, splitPattern } from '../../src/policy/pattern.ts';
import { pathKey } from '../../src/policy/secret-path.ts';

interface Both {
  readonly pattern: Pattern;
  readonly named: NamePattern;
}

/** Patterns with a star in the middle: a list tests no others name by name. */
const segment = fc.constantFrom('a', 'ab', 'a.b', 'b+', '*', 'a*', '*b', 'a*b', '*a*');
const starred = fc
  .tuple(fc.array(segment, { minLength: 1, maxLength: 4 }), fc.boolean())
  .map(([segments, open]): Both[] => {
    const pattern = splitPattern(`secret:/${segments.join('/')}${open ? '/**' : ''}`);
    const named = pattern && namePattern(pattern);
    return pattern && named?.segments ? [{ pattern, named }] : [];
  });
const patterns = fc.array(starred, { minLength: 1, maxLength: 12 }).map((found) => found.flat());
const path = fc
  .array(fc.constantFrom('a', 'ab', 'aab', 'a.b', 'axb', 'b', 'b+', 'bb'), { minLength: 1, maxLength: 5 })
  .map((segments) => `/${segments.join('/')}`);

const matches = (expression: string, name: string) => new RegExp(expression).test(pathKey(name));
const named = (both: readonly Both[]) => both.map((each) => each.named);

test('an expression of many patterns matches what one of them matches, and nothing else', () => {
  fc.assert(
    fc.property(patterns, path, (both, name) => {
      fc.pre(both.length > 0);
      const expected = both.some(({ pattern }) => matchesSegments(pattern, name.split('/')));
      expect(matches(anyOf(named(both)), name)).toBe(expected);
    }),
    { numRuns: 3_000 },
  );
});

test('an expression of several groups matches what matches in each of them', () => {
  fc.assert(
    fc.property(patterns, patterns, path, (one, other, name) => {
      fc.pre(one.length > 0 && other.length > 0);
      const expected = [one, other].every((both) =>
        both.some(({ pattern }) => matchesSegments(pattern, name.split('/'))),
      );
      expect(matches(allOf([named(one), named(other)]), name)).toBe(expected);
    }),
    { numRuns: 3_000 },
  );
});

test('what patterns begin with in common is said once', () => {
  const texts = ['/teams/*/prod/db', '/teams/*/prod/db/**', '/teams/*/prod/dns', '/teams/x*'];
  const found = texts.flatMap((text) => {
    const pattern = splitPattern(`secret:${text}`);
    const one = pattern && namePattern(pattern);
    return one ? [one] : [];
  });
  expect(anyOf(found).replaceAll('\u0001', '/')).toBe('^(?:/teams/(?:[^/]*/prod/d(?:b(?:/.+)?|ns)|x[^/]*))$');
  expect([anyOf([]), allOf([])]).toEqual(['', '']);
});
