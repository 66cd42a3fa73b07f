import { randomInt } from 'node:crypto';

const CHARACTERS = {
  uppercase: 'ABCDEFGHIJKLMNOPQRSTUVWXYZ',
  lowercase: 'abcdefghijklmnopqrstuvwxyz',
  digits: '0123456789',
  symbols: '!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~',
} as const;
export type CharacterType = keyof typeof CHARACTERS;
export const CHARACTER_TYPES = Object.keys(CHARACTERS) as readonly CharacterType[];

/** The characters of a type that are not excluded. */
export function characterSet(type: CharacterType, excluded: string): string {
  return Array.from(CHARACTERS[type])
    .filter((character) => !excluded.includes(character))
    .join('');
}

/**
 * A password drawn uniformly from all of `length` ASCII characters over the sets; with `requireEachSet`, from those that
 * hold one of each: others are thrown away whole, which keeps the rest equally likely. `crypto.randomInt` is free of
 * modulo bias. Precondition: the sets are disjoint, none is empty, and `length` is at least their number.
 */
export function generatePassword(length: number, sets: readonly string[], requireEachSet: boolean): Buffer {
  const alphabet = Buffer.from(sets.join(''), 'ascii');
  const members = sets.map((set) => new Set(Buffer.from(set, 'ascii')));
  for (;;) {
    const password = Buffer.alloc(length);
    for (let at = 0; at < length; at++) password[at] = alphabet[randomInt(alphabet.length)] ?? 0;
    if (!requireEachSet || members.every((set) => password.some((byte) => set.has(byte)))) return password;
    password.fill(0);
  }
}
