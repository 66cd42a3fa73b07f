import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decide } from '../../src/policy/decide.ts';
import type { Facts } from '../../src/policy/facts.ts';
import { type ListFilter, listFilter, within } from '../../src/policy/list-filter.ts';
import type { NamePattern } from '../../src/policy/name-pattern.ts';
import type { Permission } from '../../src/policy/permission.ts';
import type { Policy, Statement } from '../../src/policy/policy.ts';
import { pathKey } from '../../src/policy/secret-path.ts';
import { path, policies, READER } from '../support/random-policies.ts';

const BOTH: readonly Permission[] = ['SECRET_LIST', 'SECRET_READ'];
const KEYS: readonly Permission[] = ['KMS_KEY_LIST', 'KMS_KEY_READ'];

const factsOf = (list: readonly Policy[]): Facts => ({
  policies: list,
  clientAddress: null,
  at: new Date(0),
});
const statement = (effect: 'ALLOW' | 'DENY', resources: string[], permissions = BOTH): Statement => ({
  ...{ name: 's', effect, permissions, resources, conditions: null },
});
const filterOf = (...statements: Statement[]) => {
  const subjects = [{ kind: 'ROLE' as const, value: 'reader', issuer: null }];
  return listFilter(READER, BOTH, 'secret', factsOf([{ name: 'p', builtIn: false, statements, subjects }]));
};
/** A filter of literal prefixes alone, with `/` for the separator and `0`, which follows it in ASCII, for what ends it. */
const plain = (filter: ListFilter) =>
  filter.map(({ low, high, required, refused }) => {
    expect([required, refused]).toEqual([[], []]);
    return [low, high].map((key) => key.replaceAll('\u0001', '/').replaceAll('\u0002', '0'));
  });

/** What a pattern says of a key, segment by segment; slow, and plain to see. */
function matches({ segments, open }: NamePattern, key: string): boolean {
  const parts = key.split('\u0001');
  if (!segments) throw new Error('A pattern that is its range is not left to test.');
  if (open ? parts.length <= segments.length : parts.length !== segments.length) return false;
  return segments.every((pieces, index) => {
    const expression = pieces.map((piece) => piece.replaceAll(/[.+-]/g, '\\$&')).join('.*');
    return new RegExp(`^${expression}$`).test(parts[index] ?? '');
  });
}
const shows = (filter: ListFilter, key: string) =>
  filter.some(
    ({ low, high, required, refused }) =>
      key >= low &&
      key < high &&
      required.every((group) => group.some((pattern) => matches(pattern, key))) &&
      !refused.some((pattern) => matches(pattern, key)),
  );

describe('listFilter', () => {
  it('refuses patterns that would multiply, and takes as many as a policy may have of either kind', () => {
    const many = (make: (index: number) => string) => Array.from({ length: 1_000 }, (_, n) => make(n));
    const all = statement('ALLOW', ['secret:/**']);
    const starred = statement(
      'DENY',
      many((n) => `secret:/*x${n}`),
    );
    const literal = statement(
      'DENY',
      many((n) => `secret:/a${n}/**`),
    );
    expect(() => filterOf(all, starred, literal)).toThrow(/too many patterns/);
    expect(filterOf(all, starred)).toHaveLength(1);
    expect(filterOf(all, literal)).toHaveLength(1_001);
  });

  it('shows nothing without a statement, and nothing where one of the rights is missing', () => {
    expect(filterOf()).toEqual([]);
    expect(filterOf(statement('ALLOW', ['secret:/**'], ['SECRET_LIST']))).toEqual([]);
    expect(
      filterOf(
        statement('ALLOW', ['secret:/a/**'], ['SECRET_LIST']),
        statement('ALLOW', ['secret:/b/**'], ['SECRET_READ']),
      ),
    ).toEqual([]);
  });

  it('goes around what a DENY of either right takes, whatever an ALLOW says beneath it', () => {
    const allow = statement('ALLOW', ['secret:/a/**', 'secret:/a/big/sub/**']);
    for (const permissions of [BOTH, ['SECRET_LIST'], ['SECRET_READ']] as const) {
      expect(plain(filterOf(allow, statement('DENY', ['secret:/a/big/**'], permissions)))).toEqual([
        ['/a/', '/a/big/'],
        ['/a/big0', '/a0'],
      ]);
    }
    expect(filterOf(allow, statement('DENY', ['secret:/**']))).toEqual([]);
  });

  it('makes one range of those that overlap, lie within one another or stand side by side', () => {
    expect(plain(filterOf(statement('ALLOW', ['secret:/a/**', 'secret:/a/b/**', 'secret:/a'])))).toEqual([
      ['/a', '/a0'],
    ]);
    expect(plain(filterOf(statement('ALLOW', ['secret:/a/**']), statement('ALLOW', ['secret:/**'])))).toEqual(
      [['/', '0']],
    );
  });

  it('takes what both rights have in common', () => {
    expect(
      plain(
        filterOf(
          statement('ALLOW', ['secret:/a/**', 'secret:/b'], ['SECRET_LIST']),
          statement('ALLOW', ['secret:/a/b/**', 'secret:/**'], ['SECRET_READ']),
        ),
      ),
    ).toEqual([
      ['/a/', '/a0'],
      ['/b', '/b/'],
    ]);
  });

  it('tests no row where a literal prefix decides already', () => {
    const starred = statement('ALLOW', ['secret:/a/*/x', 'secret:/*']);
    expect(plain(filterOf(starred, statement('ALLOW', ['secret:/**'])))).toEqual([['/', '0']]);
    expect(filterOf(starred, statement('DENY', ['secret:/**']))).toEqual([]);
  });

  it('agrees with decide on every path', () => {
    fc.assert(
      fc.property(policies, fc.array(path, { minLength: 30, maxLength: 30 }), (list, paths) => {
        const facts = factsOf(list);
        const filter = listFilter(READER, BOTH, 'secret', facts);
        for (const name of paths) {
          const allowed = BOTH.every(
            (permission) => decide(READER, permission, { kind: 'secret', name }, facts).allowed,
          );
          expect([name, shows(filter, pathKey(name))]).toEqual([name, allowed]);
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it('agrees with decide on every KMS key', () => {
    const names = ['kms-a', 'kms-ab', 'kms-b', 'kms-0', 'kms-abab'];
    fc.assert(
      fc.property(policies, (list) => {
        const facts = factsOf(list);
        const filter = listFilter(READER, KEYS, 'kms-key', facts);
        for (const name of names) {
          const allowed = KEYS.every(
            (permission) => decide(READER, permission, { kind: 'kms-key', name }, facts).allowed,
          );
          expect([name, shows(filter, name)]).toEqual([name, allowed]);
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it('has its ranges in order, apart, and none empty', () => {
    fc.assert(
      fc.property(policies, (list) => {
        const filter = listFilter(READER, BOTH, 'secret', factsOf(list));
        const ends = filter.flatMap(({ low, high }) => [low, high]);
        filter.forEach(({ low, high }) => expect(low < high).toBe(true));
        expect(ends.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0))).toEqual(ends);
      }),
      { numRuns: 500 },
    );
  });

  it('cut to a part shows of that part what it showed before, and nothing else', () => {
    fc.assert(
      fc.property(policies, path, path, path, (list, one, other, name) => {
        const [low = '', high = ''] = [pathKey(one), pathKey(other)].sort();
        const filter = listFilter(READER, BOTH, 'secret', factsOf(list));
        const key = pathKey(name);
        expect(shows(within(filter, low, high), key)).toBe(shows(filter, key) && key >= low && key < high);
      }),
      { numRuns: 500 },
    );
  });

  it('compiles a thousand patterns in a moment', () => {
    const resources = Array.from({ length: 1_000 }, (_, n) => `secret:/team-${n}/**`);
    const starred = Array.from({ length: 1_000 }, (_, n) => `secret:/team-${n}/*/x`);
    const started = performance.now();
    expect(filterOf(statement('ALLOW', resources), statement('DENY', starred))).toHaveLength(1_000);
    expect(performance.now() - started).toBeLessThan(500);
  });
});
