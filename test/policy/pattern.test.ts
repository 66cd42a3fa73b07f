import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { matchesPattern } from '../../src/policy/matches-pattern.ts';
import { contains, overlaps, type Pattern, splitPattern } from '../../src/policy/pattern.ts';

function split(text: string): Pattern {
  const pattern = splitPattern(text);
  if (!pattern) throw new Error('No pattern.');
  return pattern;
}

/** All texts of 1 to 4 of three characters; patterns use two of them, so that one is always new to them. */
const LETTERS = ['a', 'b', 'x'];
const SEGMENTS = [1, 2, 3, 4].flatMap((length) =>
  Array.from({ length: 3 ** length }, (_, n) =>
    Array.from({ length }, (_unused, i) => LETTERS[Math.floor(n / 3 ** i) % 3] ?? '').join(''),
  ),
);
const SHORT = SEGMENTS.filter(({ length }) => length <= 2);

const segmentPattern = fc
  .array(fc.constantFrom('a', 'b', '*'), { minLength: 1, maxLength: 4 })
  .map((pieces) => pieces.join('').replaceAll(/\*+/g, '*'));
const patternOf = (segment: fc.Arbitrary<string>) =>
  fc
    .tuple(fc.array(segment, { maxLength: 3 }), fc.boolean())
    .filter(([segments, open]) => open || segments.length > 0)
    .map(([segments, open]) => `secret:/${[...segments, ...(open ? ['**'] : [])].join('/')}`);

/** The rule by trying: every name there is, in a small world. */
function tried(a: string, b: string, names: readonly string[]) {
  const hits = (pattern: string, name: string) => matchesPattern(pattern, { kind: 'secret', name });
  return {
    contains: names.every((name) => !hits(b, name) || hits(a, name)),
    overlaps: names.some((name) => hits(a, name) && hits(b, name)),
  };
}
const said = (a: string, b: string) => ({
  contains: contains(split(a), split(b)),
  overlaps: overlaps(split(a), split(b)),
});

describe('contains and overlaps', () => {
  it('agree with trying every name, for patterns of one segment', () => {
    const names = SEGMENTS.map((segment) => `/${segment}`);
    fc.assert(
      fc.property(segmentPattern, segmentPattern, (a, b) => {
        // Long texts may be needed to meet: 'aaaa' and '*bbbb' are beyond this world, so patterns here are short.
        fc.pre(a.length + b.length <= 6);
        const [left, right] = [`secret:/${a}`, `secret:/${b}`];
        expect(said(left, right)).toEqual(tried(left, right, names));
      }),
      { numRuns: 3_000 },
    );
  });

  it('agree with trying every name, for patterns of several segments', () => {
    const texts = ['a', 'b', 'x', 'ab', 'ax'];
    const names = [1, 2, 3, 4, 5].flatMap((length) =>
      Array.from({ length: texts.length ** length }, (_, n) =>
        Array.from(
          { length },
          (_unused, i) => `/${texts[Math.floor(n / texts.length ** i) % texts.length] ?? ''}`,
        ).join(''),
      ),
    );
    const segment = fc.constantFrom('a', 'b', '*', 'a*');
    fc.assert(
      fc.property(patternOf(segment), patternOf(segment), (a, b) => {
        expect(said(a, b)).toEqual(tried(a, b, names));
      }),
      { numRuns: 150 },
    );
  });

  it('agree with one another: what is contained overlaps, both ways round, and contains itself', () => {
    fc.assert(
      fc.property(patternOf(segmentPattern), patternOf(segmentPattern), (a, b) => {
        expect(contains(split(a), split(a))).toBe(true);
        expect(overlaps(split(a), split(b))).toBe(overlaps(split(b), split(a)));
        if (contains(split(a), split(b))) expect(overlaps(split(a), split(b))).toBe(true);
      }),
    );
  });

  it.each([
    ['secret:/a/*', 'secret:/a/**'],
    ['secret:/a/**', 'secret:/a'],
    ['secret:/a/**', 'secret:/**'],
    ['secret:/a/*/**', 'secret:/a/**'],
    ['secret:/a*', 'secret:/*a'],
    ['secret:/a*a', 'secret:/a*'],
    ['secret:/team-*/**', 'secret:/team/**'],
    ['kms-key:*', 'secret:/a'],
    ['kms-key:one', 'kms-key:*'],
    ['policy:*', 'audit:*'],
  ])('%s does not contain %s', (outer, inner) => {
    expect(contains(split(outer), split(inner))).toBe(false);
  });

  it.each([
    ['secret:/**', 'secret:/a/*/b*/**'],
    ['secret:/a/**', 'secret:/a/*'],
    ['secret:/*/**', 'secret:/a/b'],
    ['secret:/*a*', 'secret:/ba*b'],
    ['kms-key:*', 'kms-key:one'],
    ['policy:one', 'policy:one'],
    ['audit:*', 'audit:*'],
  ])('%s contains %s', (outer, inner) => {
    expect(contains(split(outer), split(inner))).toBe(true);
  });

  it('knows that the world of the trials is big enough to tell apart', () => {
    expect(SHORT.length).toBe(12);
    expect(SEGMENTS.length).toBe(120);
  });
});
