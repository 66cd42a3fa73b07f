import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { matchesPattern } from '../../src/policy/matches-pattern.ts';
import type { Resource } from '../../src/policy/policy.ts';

const secret = (name: string): Resource => ({ kind: 'secret', name });
const audit: Resource = { kind: 'audit', name: '' };

/** The rule, as a regular expression: slow, and plain to see. */
function oracle(pattern: string, name: string): boolean {
  const escape = (text: string) => text.replaceAll(/[.*+?^${}()|[\]\\/-]/g, '\\$&');
  const segments = pattern.split('/').map((segment, index, all) => {
    if (segment === '**' && index === all.length - 1) return '[^/]*(?:/[^/]*)*';
    return segment.split('*').map(escape).join('[^/]*');
  });
  return new RegExp(`^${segments.join('/')}$`, 's').test(name);
}

describe('matchesPattern', () => {
  it.each([
    ['secret:/a/**', '/a'],
    ['secret:/a/**', '/ab/c'],
    ['secret:/a/**', '/A/b'],
    ['secret:/a/*', '/a/b/c'],
    ['secret:/a/*', '/a'],
    ['secret:/*', '/a/b'],
    ['secret:/a', '/a/b'],
    ['secret:/a', '/ab'],
    ['secret:/a/b', '/a'],
    ['secret:/a.b', '/axb'],
    ['secret:/a?', '/ab'],
    ['secret:/[ab]', '/a'],
    ['secret:/a+', '/aa'],
    ['secret:/{a,b}', '/a'],
    ['secret:/a|/b', '/a'],
    ['secret:/*aa*', '/a'],
    ['secret:/aa*aa', '/aaa'],
    ['secret:/a*b*c', '/acb'],
    ['secret:/**/c', '/a/b/c'],
    ['secret:', '/a'],
    ['secret', '/a'],
    ['', '/a'],
    ['*', '/a'],
    ['**', '/a'],
    ['*:/**', '/a'],
    ['Secret:/**', '/a'],
    [' secret:/**', '/a'],
    ['secrets:/**', '/a'],
    ['kms-key:*', '/a'],
  ])('%s does not name %s', (pattern, name) => {
    expect(matchesPattern(pattern, secret(name))).toBe(false);
  });

  it.each([
    ['secret:/a', '/a'],
    ['secret:/a/**', '/a/b'],
    ['secret:/a/**', '/a/b/c/d'],
    ['secret:/**', '/a'],
    ['secret:/a/*', '/a/b'],
    ['secret:/*/db', '/a/db'],
    ['secret:/a/*/**', '/a/b/c'],
    ['secret:/app-*', '/app-'],
    ['secret:/app-*', '/app-prod'],
    ['secret:/*-*-db', '/a-b-c-db'],
    ['secret:/**/c', '/a/c'],
    ['secret:/a*a', '/aa'],
  ])('%s names %s', (pattern, name) => {
    expect(matchesPattern(pattern, secret(name))).toBe(true);
  });

  it.each(['kms-key', 'policy'] as const)('never names a %s without its kind and a colon', (kind) => {
    for (const pattern of [`${kind}x`, `${kind}s`, '*', `${kind}*`]) {
      expect(matchesPattern(pattern, { kind, name: pattern })).toBe(false);
      expect(matchesPattern(pattern, { kind, name: `${kind}x` })).toBe(false);
    }
    expect(matchesPattern('secret:*', { kind, name: 'default' })).toBe(false);
    expect(matchesPattern(`${kind}:Default`, { kind, name: 'default' })).toBe(false);
    expect(matchesPattern(`${kind}:default`, { kind, name: 'default' })).toBe(true);
    expect(matchesPattern(`${kind}:*`, { kind, name: 'default' })).toBe(true);
  });

  it('names the audit log by audit:* alone', () => {
    for (const pattern of ['audit:', 'audit', 'audit:**', 'audit:x', '*', 'secret:/**', 'audit:*x']) {
      expect(matchesPattern(pattern, audit)).toBe(false);
    }
    expect(matchesPattern('audit:*', audit)).toBe(true);
  });

  it('takes a star in a name as a character like others (GHSA-59w7-v8rr-pr4p)', () => {
    expect(matchesPattern('secret:/a/b', secret('/a/*'))).toBe(false);
    expect(matchesPattern('secret:/a/b', secret('/**'))).toBe(false);
    expect(matchesPattern('secret:/*', secret('/*'))).toBe(true);
  });

  it('agrees with the rule written as a regular expression', () => {
    const piece = (...extra: string[]) =>
      fc
        .array(fc.constantFrom('a', 'b', '.', '+', ...extra), { maxLength: 4 })
        .map((parts) => parts.join(''));
    const patterns = fc
      .tuple(fc.array(piece('*', '*'), { maxLength: 4 }), fc.boolean())
      .map(([parts, open]) => `/${[...parts, ...(open ? ['**'] : [])].join('/')}`);
    const names = fc.array(piece(), { maxLength: 5 }).map((parts) => `/${parts.join('/')}`);
    fc.assert(
      fc.property(patterns, names, (pattern, name) => {
        expect(matchesPattern(`secret:${pattern}`, secret(name))).toBe(oracle(pattern, name));
      }),
      { numRuns: 5000 },
    );
    const stars = fc
      .array(fc.constantFrom('a', 'b', '*'), { maxLength: 8 })
      .map((parts) => `/${parts.join('')}`);
    const words = fc.array(fc.constantFrom('a', 'b'), { maxLength: 8 }).map((parts) => `/${parts.join('')}`);
    fc.assert(
      fc.property(stars, words, (pattern, name) => {
        fc.pre(pattern !== '/**');
        expect(matchesPattern(`secret:${pattern}`, secret(name))).toBe(oracle(pattern, name));
      }),
      { numRuns: 5000 },
    );
  });

  it('takes no longer for a pattern made to backtrack', () => {
    const pattern = `secret:/${'a*'.repeat(10_000)}b`;
    const started = performance.now();
    expect(matchesPattern(pattern, secret(`/${'a'.repeat(20_000)}`))).toBe(false);
    expect(performance.now() - started).toBeLessThan(1000);
  });
});
