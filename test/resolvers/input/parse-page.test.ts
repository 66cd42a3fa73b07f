import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeCursor, type PageArguments, parsePage } from '../../../src/resolvers/input/parse-page.ts';
import { CANARY, refusedAt } from './refusal.ts';

const isCursor = (parts: readonly unknown[]) => parts.length === 1 && typeof parts[0] === 'string';
const parse = (args: PageArguments) => parsePage(args, 'secrets:path', isCursor, ['versions']);
const cursor = encodeCursor('secrets:path', ['/a']);
const base64url = (text: string) => Buffer.from(text).toString('base64url');

describe('parsePage', () => {
  it.each([0, -1, 101, 2 ** 31 - 1, -(2 ** 31)])('refuses a page of %i', (size) => {
    expect(refusedAt(() => parse({ first: size }), '1 to 100')).toEqual(['versions', 'first']);
    expect(refusedAt(() => parse({ last: size }), '1 to 100')).toEqual(['versions', 'last']);
  });

  it('refuses first and last together, whatever they are', () => {
    for (const [first, last] of [
      [1, 1],
      [0, 1],
      [1, 0],
    ]) {
      expect(refusedAt(() => parse({ first, last }), 'not both')).toEqual(['versions', 'last']);
    }
  });

  it.each([
    ['nothing', ''],
    ['plain text', CANARY],
    ['another list’s', encodeCursor('events', ['/a'])],
    ['the same list’s in another order', encodeCursor('secrets:createdAt', ['/a'])],
    ['one with another part', encodeCursor('secrets:path', [1])],
    ['one with a null', encodeCursor('secrets:path', [null])],
    ['one with a part more', encodeCursor('secrets:path', ['/a', CANARY])],
    ['one with no part', encodeCursor('secrets:path', [])],
    ['an object', base64url(JSON.stringify({ 0: 'secrets:path', 1: CANARY }))],
    ['a string', base64url(JSON.stringify('secrets:path'))],
    ['null', base64url('null')],
    ['half a JSON', base64url(`["secrets:path","${CANARY}`)],
    ['a global id', base64url('Secret:local-1:0197a2c4-0000-7000-8000-000000000001')],
    ['bytes that are no UTF-8', Buffer.of(0xff, 0xfe).toString('base64url')],
    ['SQL', "' OR 1=1 --"],
  ])('refuses a cursor that is %s', (_what, text) => {
    expect(refusedAt(() => parse({ after: text }))).toEqual(['versions', 'after']);
    expect(refusedAt(() => parse({ before: text }))).toEqual(['versions', 'before']);
  });

  it('takes any text for a cursor without failing otherwise', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(refusedAt(() => parse({ after: text }))).toEqual(['versions', 'after']);
      }),
    );
  });

  it('names the field by itself where the list is a field of the query', () => {
    expect(refusedAt(() => parsePage({ first: 0 }, 'l', isCursor))).toEqual(['first']);
  });

  it('is the first 20 where nothing is asked for', () => {
    const expected = { limit: 20, backward: false, after: null, before: null };
    expect(parse({})).toEqual(expected);
    expect(parse({ first: null, last: null, after: null, before: null })).toEqual(expected);
  });

  it('walks either way, 1 to 100 items, between cursors', () => {
    expect(parse({ first: 1 })).toMatchObject({ limit: 1, backward: false });
    expect(parse({ first: 100, after: cursor })).toMatchObject({
      limit: 100,
      backward: false,
      after: ['/a'],
    });
    expect(parse({ last: 100, before: cursor })).toMatchObject({
      limit: 100,
      backward: true,
      before: ['/a'],
    });
    expect(parse({ first: 2, after: cursor, before: cursor })).toMatchObject({
      after: ['/a'],
      before: ['/a'],
    });
  });
});
