import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InvalidInputError } from '../../src/errors.ts';
import {
  afterFolder,
  folderKeyPrefix,
  nameOfPath,
  parentOfPath,
  parseFolderPath,
  parseSecretPath,
  pathKey,
  pathOfKey,
} from '../../src/policy/secret-path.ts';

const CANARY = 'canary7f3a';
const FIELD = ['input', 'path'];

function refusal(text: string, parse = parseSecretPath): string {
  try {
    parse(text, FIELD);
  } catch (error) {
    if (!(error instanceof InvalidInputError)) throw error;
    expect(error.code).toBe('INVALID_INPUT');
    expect(error.field).toEqual(FIELD);
    return error.message;
  }
  throw new Error('It was accepted.');
}

const alphabet = Array.from('abzAZ019_.+-');
const segment = fc
  .array(fc.constantFrom(...alphabet), { minLength: 1, maxLength: 4 })
  .map((characters) => characters.join(''))
  .filter((text) => text !== '.' && text !== '..');
const segments = fc.array(segment, { minLength: 1, maxLength: 4 });
const path = segments.map((list) => `/${list.join('/')}`);
const bytewise = (one: string, other: string) => Buffer.compare(Buffer.from(one), Buffer.from(other));

/** The order as it is defined: segment by segment, and what ends first comes first. */
function bySegments(one: readonly string[], other: readonly string[]): number {
  for (const [index, left] of one.entries()) {
    const right = other[index];
    if (right === undefined) return 1;
    if (left !== right) return bytewise(left, right);
  }
  return one.length - other.length;
}

describe('parseSecretPath', () => {
  it.each([
    ['nothing', ''],
    ['no slash at the start', `${CANARY}/db`],
    ['a space before it', ` /${CANARY}`],
    ['a line end after it', `/${CANARY}\n`],
    ['the root', '/'],
    ['an empty segment', `/${CANARY}//db`],
    ['an empty first segment', `//${CANARY}`],
    ['a slash at the end', `/${CANARY}/`],
    ['..', `/${CANARY}/../db`],
    ['.. at the end', `/${CANARY}/..`],
    ['.', `/${CANARY}/./db`],
    ['%2e%2e', `/${CANARY}/%2e%2e/db`],
    ['%2F', `/${CANARY}%2Fdb`],
    ['a backslash', `/${CANARY}\\db`],
    ['NUL', `/${CANARY}\0db`],
    ['U+0001, the separator of keys', `/${CANARY}\u0001db`],
    ['a space', `/${CANARY} db`],
    ['a star', `/${CANARY}*`],
    ['a colon', `/${CANARY}:db`],
    ['a fullwidth slash', `/${CANARY}\uff0fdb`],
    ['a fullwidth full stop', `/${CANARY}/\uff0e\uff0e`],
    ['a zero width joiner', `/${CANARY}\u200ddb`],
    ['a right-to-left override', `/${CANARY}\u202edb`],
    ['a decomposed umlaut', `/${CANARY}a\u0308`],
    ['a composed umlaut', `/${CANARY}\u00e4`],
    ['a Cyrillic a', `/${CANARY}\u0430`],
    ['half a surrogate pair', `/${CANARY}\ud800`],
    ['an emoji', `/${CANARY}\u{1f511}`],
    ['a Turkish dotless i', `/${CANARY}\u0131`],
    ['a segment of 129 characters', `/${CANARY}${'a'.repeat(129 - CANARY.length)}`],
    ['513 characters', `/${CANARY}${'/aaaaaaaaa'.repeat(60)}`.slice(0, 513)],
    ['33 segments', `/${CANARY}${'/a'.repeat(32)}`],
  ])('refuses %s without quoting it', (_what, text) => {
    expect(refusal(text)).not.toContain('canary');
  });

  it('tells the segment and the character by its code point', () => {
    expect(refusal('/a/b/\u00e4')).toBe(
      'Segment 3 of the path holds the character U+00E4: allowed are A-Z a-z 0-9 _ . + -.',
    );
    expect(refusal('/a\0')).toContain('Segment 1 of the path holds the character U+0000');
    expect(refusal('/a/x\u{1f511}')).toContain('Segment 2 of the path holds the character U+1F511');
    expect(refusal('/a/%2e')).toContain('Segment 2 of the path holds the character U+0025');
    expect(refusal('/a\\b')).toContain('U+005C');
    expect(refusal('/a/\ud800')).toContain('U+D800');
    expect(refusal('/a/..')).toContain('Segment 2 of the path is "." or ".."');
    expect(refusal('/a//b')).toContain('Segment 2 of the path is empty');
    expect(refusal('/a/')).toContain('Segment 2 of the path is empty');
  });

  it('tells each limit with its number', () => {
    expect(refusal(`/${'a'.repeat(129)}`)).toContain('128');
    expect(refusal('/a'.repeat(33))).toContain('32');
    expect(refusal('/aaaaaaaaa'.repeat(52))).toContain('512');
  });

  it('accepts each limit to the last character', () => {
    const longest = `/${Array.from({ length: 4 }, () => 'a'.repeat(127)).join('/')}`;
    expect(longest).toHaveLength(512);
    for (const text of [longest, `/${'a'.repeat(128)}`, '/a'.repeat(32)]) {
      expect(parseSecretPath(text, FIELD)).toBe(text);
    }
  });

  it.each(['/...', '/..a', '/a..', '/.a', '/-', '/_', '/+', '/A-Z.a_z+0-9', '/0', '/a/a', '/A/a'])(
    'accepts %s, and returns it as it is',
    (text) => {
      expect(parseSecretPath(text, FIELD)).toBe(text);
    },
  );

  it('accepts the grammar and nothing else', () => {
    const anything = fc
      .array(fc.constantFrom(...alphabet, '/', '.', '\\', '%', '\0', 'ä', ' '))
      .map((all) => all.join(''));
    const grammar = /^(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9_.+-]{1,128}){1,32}$/;
    fc.assert(
      fc.property(
        fc.oneof(
          path,
          anything,
          anything.map((text) => `/${text}`),
        ),
        (text) => {
          let accepted = true;
          try {
            expect(parseSecretPath(text, FIELD)).toBe(text);
          } catch (error) {
            expect(error).toBeInstanceOf(InvalidInputError);
            accepted = false;
          }
          expect(accepted).toBe(grammar.test(text));
        },
      ),
      { numRuns: 2000 },
    );
  });
});

describe('parseFolderPath', () => {
  it('refuses what a secret’s path may not be', () => {
    for (const text of ['', '//', '/a/', '/..', 'a', '/\u0001']) refusal(text, parseFolderPath);
  });

  it('accepts the root besides', () => {
    expect(parseFolderPath('/', FIELD)).toBe('/');
    expect(parseFolderPath('/a/b', FIELD)).toBe('/a/b');
  });
});

describe('the key that paths are ordered by', () => {
  it('orders by segments, a secret before the folder of its name', () => {
    fc.assert(
      fc.property(segments, segments, (one, other) => {
        const [left, right] = [one, other].map((list) => pathKey(`/${list.join('/')}`));
        expect(Math.sign(bytewise(left ?? '', right ?? ''))).toBe(Math.sign(bySegments(one, other)));
      }),
      { numRuns: 2000 },
    );
  });

  it('keeps a folder together where bytewise order would not', () => {
    const paths = ['/a', '/a/x', '/a/x/y', '/a+', '/a-b', '/a.b', '/aa'];
    expect(paths.map(pathKey).sort(bytewise).map(pathOfKey)).toEqual(paths);
    expect([...paths].sort(bytewise)).not.toEqual(paths);
  });

  it('gives the path back', () => {
    fc.assert(
      fc.property(path, (text) => {
        expect(pathOfKey(pathKey(text))).toBe(text);
      }),
    );
  });

  it('has in a folder’s range all that lies below it and nothing else, not the secret of its name either', () => {
    fc.assert(
      fc.property(fc.oneof(path, fc.constant('/')), path, fc.boolean(), (folder, other, below) => {
        const text = below ? (folder === '/' ? other : folder + other) : other;
        const prefix = folderKeyPrefix(folder);
        const key = pathKey(text);
        const inRange = bytewise(key, prefix) >= 0 && bytewise(key, afterFolder(prefix)) < 0;
        expect(inRange).toBe(text.startsWith(folder === '/' ? '/' : `${folder}/`));
        expect(key.startsWith(prefix)).toBe(inRange);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('a path’s name and its parent', () => {
  it('make the path again', () => {
    fc.assert(
      fc.property(path, (text) => {
        const parent = parentOfPath(text);
        expect(`${parent === '/' ? '' : String(parent)}/${nameOfPath(text)}`).toBe(text);
      }),
    );
  });

  it('end at the root, which has no parent', () => {
    expect(parentOfPath('/a')).toBe('/');
    expect(parentOfPath('/a/b')).toBe('/a');
    expect(parentOfPath('/')).toBeNull();
    expect(nameOfPath('/a/b')).toBe('b');
  });
});
