import { describe, expect, it } from 'vitest';
import { resolvePointer } from '../../src/policy/json-pointer.ts';

describe('resolvePointer', () => {
  it.each([
    '/__proto__',
    '/constructor',
    '/toString',
    '/list/length',
    '/list/map',
    '/text/length',
    '/text/0',
  ])('what JavaScript adds to a value is not found: %s', (pointer) =>
    expect(resolvePointer(pointer, { list: ['a'], text: 'abc' })).toBeUndefined(),
  );

  it('a claim that is really named like a JavaScript built-in is found', () => {
    const claims: unknown = JSON.parse('{"__proto__": {"organisation": "acme"}, "constructor": "own"}');
    expect(resolvePointer('/__proto__/organisation', claims)).toBe('acme');
    expect(resolvePointer('/constructor', claims)).toBe('own');
    expect(resolvePointer('/organisation', claims)).toBeUndefined();
  });

  it.each([
    '/list/00',
    '/list/01',
    '/list/-',
    '/list/-1',
    '/list/1.0',
    '/list/1e0',
    '/list/ 1',
    '/list/2',
    '/list/',
  ])('an array index has no leading zero, sign, fraction or space, and is not past the end: %s', (pointer) =>
    expect(resolvePointer(pointer, { list: ['a', 'b'] })).toBeUndefined(),
  );

  it.each(['a', 'a/b', '/~', '/~2', '/a~', '#/a'])('what is no JSON Pointer throws: %s', (pointer) =>
    expect(() => resolvePointer(pointer, { a: 1 })).toThrow(SyntaxError),
  );

  it('nothing is found below a string, a number or null', () => {
    expect(['/a/x', '/b/x', '/c/x'].map((p) => resolvePointer(p, { a: 'x', b: 1, c: null }))).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  it.each([
    ['/foo', ['bar', 'baz']],
    ['/foo/0', 'bar'],
    ['/', 0],
    ['/a~1b', 1],
    ['/c%d', 2],
    ['/e^f', 3],
    ['/g|h', 4],
    ['/i\\j', 5],
    ['/k"l', 6],
    ['/ ', 7],
    ['/m~0n', 8],
    ['/~01', 9],
  ])('the examples of RFC 6901 section 5 evaluate: %s', (pointer, expected) => {
    const document = {
      foo: ['bar', 'baz'],
      '': 0,
      'a/b': 1,
      'c%d': 2,
      'e^f': 3,
      'g|h': 4,
      'i\\j': 5,
      'k"l': 6,
      ' ': 7,
      'm~n': 8,
      '~1': 9,
    };
    expect(resolvePointer(pointer, document)).toEqual(expected);
    expect(resolvePointer('', document)).toBe(document);
  });
});
