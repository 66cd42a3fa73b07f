import { type FieldPath, InvalidInputError } from '../errors.ts';

export const PATH_LIMITS = { characters: 512, segments: 32, segmentCharacters: 128 } as const;

/** Sorts before every character of a path, so that the order of keys is the order of segments. */
const SEPARATOR = '\u0001';

/**
 * A secret's path: `/` and 1 to 32 segments of 1 to 128 of `A-Z a-z 0-9 _ . + -`, 512 characters in all, no segment `.`
 * or `..`. Refused, never repaired: the message tells the rule and the position, not the text.
 */
export function parseSecretPath(text: string, field: FieldPath): string {
  const refuse = (rule: string) => new InvalidInputError(field, rule);
  if (!text.startsWith('/')) throw refuse('A path starts with "/".');
  if (text.length > PATH_LIMITS.characters) {
    throw refuse(`A path has at most ${PATH_LIMITS.characters} characters.`);
  }
  const segments = text.slice(1).split('/');
  if (segments.length > PATH_LIMITS.segments)
    throw refuse(`A path has at most ${PATH_LIMITS.segments} segments.`);
  segments.forEach((segment, index) => {
    const problem = segmentProblem(segment);
    if (problem) throw refuse(`Segment ${index + 1} of the path ${problem}.`);
  });
  return text;
}

/** A folder's path: `/`, or the grammar of a secret's. */
export function parseFolderPath(text: string, field: FieldPath): string {
  return text === '/' ? text : parseSecretPath(text, field);
}

function segmentProblem(segment: string): string | null {
  if (segment === '') return 'is empty: there is no "//" and no "/" at the end';
  if (segment === '.' || segment === '..') return 'is "." or "..", which are not allowed';
  for (const character of segment) {
    if (!/^[A-Za-z0-9_.+-]$/.test(character)) {
      const code = (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
      return `holds the character U+${code}: allowed are A-Z a-z 0-9 _ . + -`;
    }
  }
  if (segment.length > PATH_LIMITS.segmentCharacters) {
    return `is longer than ${PATH_LIMITS.segmentCharacters} characters`;
  }
  return null;
}

/** The path as it is ordered and searched: by segments, bytewise, a secret before the folder of its name. */
export function pathKey(path: string): string {
  return path.replaceAll('/', SEPARATOR);
}

/** The path of a key that `pathKey` made. */
export function pathOfKey(key: string): string {
  return key.replaceAll(SEPARATOR, '/');
}

/** What every key below the folder starts with. */
export function folderKeyPrefix(folder: string): string {
  return folder === '/' ? SEPARATOR : pathKey(folder) + SEPARATOR;
}

/** The first key after everything that starts with a folder's prefix. */
export function afterFolder(prefix: string): string {
  return `${prefix.slice(0, -1)}\u0002`;
}

export function nameOfPath(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** The path of the folder that holds this path; null for the root. */
export function parentOfPath(path: string): string | null {
  if (path === '/') return null;
  return path.slice(0, path.lastIndexOf('/')) || '/';
}
