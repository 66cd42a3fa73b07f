import { createHash } from 'node:crypto';
import { gcm } from '@noble/ciphers/aes.js';
import { chacha20, chacha20poly1305 } from '@noble/ciphers/chacha.js';
import { describe, expect, it } from 'vitest';
import { DecryptionFailedError } from '../../../src/errors.ts';
import { type AeadAlgorithm, aeadOpen, aeadSeal } from '../../../src/kms/envelope/aead.ts';

/**
 * No npm package with Project Wycheproof's vectors is known to us. These are of the same classes (its notes in
 * testvectors_v1/aes_gcm_test.json and chacha20_poly1305_test.json: Pseudorandom, ModifiedTag, EdgeCase...), made with
 * @noble/ciphers, which is written in JavaScript and shares no code with OpenSSL, from a fixed seed.
 */
const MADE_BY: Readonly<Record<AeadAlgorithm, typeof chacha20poly1305>> = {
  AES256_GCM96: gcm,
  CHACHA20_POLY1305: chacha20poly1305,
};
const ALGORITHMS = Object.keys(MADE_BY) as AeadAlgorithm[];

interface Vector {
  readonly key: Uint8Array;
  readonly nonce: Uint8Array;
  readonly aad: Uint8Array;
  readonly message: Uint8Array;
}

/** The same bytes on every run. */
function bytes(seed: string, length: number): Buffer {
  return createHash('shake256', { outputLength: length }).update(seed).digest();
}

/** Message lengths around the blocks of AES (16) and ChaCha20 (64), and those of contexts around GHASH's and Poly1305's. */
const LENGTHS = [
  0, 1, 2, 8, 12, 15, 16, 17, 24, 31, 32, 33, 47, 48, 63, 64, 65, 127, 128, 129, 255, 256, 511, 512, 4_097,
];
const AAD_LENGTHS = [0, 1, 8, 15, 16, 17, 31, 32, 64, 65, 255, 256, 1_000];
const FILLS = [0x00, 0xff, 0x80, 0x7f, 0x01];

const PSEUDORANDOM: readonly Vector[] = LENGTHS.flatMap((length) =>
  AAD_LENGTHS.map((aadLength) => {
    const seed = `${length}/${aadLength}`;
    return {
      ...{ key: bytes(`key ${seed}`, 32), nonce: bytes(`nonce ${seed}`, 12) },
      ...{ message: bytes(`message ${seed}`, length), aad: bytes(`aad ${seed}`, aadLength) },
    };
  }),
);
/** Keys, nonces, messages and contexts of one byte repeated: carries, sign extension, all-zero and all-one words. */
const EDGES: readonly Vector[] = FILLS.flatMap((key) =>
  FILLS.flatMap((nonce) =>
    FILLS.map((fill) => ({
      ...{ key: Buffer.alloc(32, key), nonce: Buffer.alloc(12, nonce) },
      ...{ message: Buffer.alloc(80, fill), aad: Buffer.alloc(33, fill ^ 0xff) },
    })),
  ),
);

/** Wycheproof's ModifiedTag: single bits at both ends of each word, several at once, halves, all, and fixed tags. */
const TAG_BITS = [0, 1, 7, 8, 31, 32, 33, 63, 64, 71, 77, 80, 96, 97, 103, 111, 112, 119, 120, 121, 126, 127];
const flipping =
  (...bits: readonly number[]) =>
  (tag: Uint8Array) => {
    const changed = Buffer.from(tag);
    for (const bit of bits) changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    return changed;
  };
const MODIFIED_TAGS: readonly (readonly [string, (tag: Uint8Array) => Uint8Array])[] = [
  ...TAG_BITS.map((bit) => [`bit ${bit} flipped`, flipping(bit)] as const),
  ['bits 0 and 64 flipped', flipping(0, 64)],
  ['bits 31 and 63 flipped', flipping(31, 63)],
  ['bits 63 and 127 flipped', flipping(63, 127)],
  ['all bits flipped', (tag) => Buffer.from(tag).map((byte) => byte ^ 0xff)],
  ['all zero', () => Buffer.alloc(16)],
  ['all one', () => Buffer.alloc(16, 0xff)],
  ['the top bit of each byte flipped', (tag) => Buffer.from(tag).map((byte) => byte ^ 0x80)],
  ['the low bit of each byte flipped', (tag) => Buffer.from(tag).map((byte) => byte ^ 0x01)],
  ['reversed', (tag) => Buffer.from(tag).reverse()],
];

const concat = (...parts: readonly Uint8Array[]) => Buffer.concat(parts);

describe.each(ALGORITHMS)('%s beside an independent implementation', (algorithm) => {
  const seal = ({ key, nonce, aad, message }: Vector) => {
    const sealed = MADE_BY[algorithm](key, nonce, aad).encrypt(message);
    return { body: sealed.subarray(0, -16), tag: sealed.subarray(-16) };
  };

  it('refuses every modified tag', () => {
    const vectors = [...PSEUDORANDOM.filter((_, at) => at % 13 === at % 25), ...EDGES.slice(0, 25)];
    let refused = 0;
    for (const vector of vectors) {
      const { body, tag } = seal(vector);
      for (const [what, modify] of MODIFIED_TAGS) {
        const sealed = concat(vector.nonce, body, modify(tag));
        expect(() => aeadOpen(algorithm, vector.key, sealed, vector.aad), what).toThrow(
          DecryptionFailedError,
        );
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(1_000);
  });

  it('refuses a tag of any other length than 16 bytes', () => {
    for (const vector of PSEUDORANDOM.slice(0, 40)) {
      const { body, tag } = seal(vector);
      for (let length = 0; length < 16; length++) {
        const sealed = concat(vector.nonce, body, tag.subarray(0, length));
        expect(() => aeadOpen(algorithm, vector.key, sealed, vector.aad)).toThrow(DecryptionFailedError);
      }
    }
  });

  it('refuses bytes that moved between context and ciphertext', () => {
    for (const vector of PSEUDORANDOM.filter(({ aad, message }) => aad.length > 0 && message.length > 0)) {
      const { body, tag } = seal(vector);
      const aad = concat(vector.aad, body.subarray(0, 1));
      const sealed = concat(vector.nonce, body.subarray(1), tag);
      expect(() => aeadOpen(algorithm, vector.key, sealed, aad)).toThrow(DecryptionFailedError);
    }
  });

  it.each([
    ['pseudorandom inputs of every length', PSEUDORANDOM],
    ['inputs of repeated bytes', EDGES],
  ])('opens what it sealed: %s', (_what, vectors) => {
    for (const vector of vectors) {
      const { body, tag } = seal(vector);
      const opened = aeadOpen(algorithm, vector.key, concat(vector.nonce, body, tag), vector.aad);
      expect(opened.equals(vector.message)).toBe(true);
    }
  });

  it('seals what it opens', () => {
    for (const { key, message, aad } of PSEUDORANDOM) {
      const sealed = aeadSeal(algorithm, key, message, aad);
      const opened = MADE_BY[algorithm](key, sealed.subarray(0, 12), aad).decrypt(sealed.subarray(12));
      expect(Buffer.from(opened).equals(message)).toBe(true);
    }
  });
});

const P = 2n ** 130n - 5n;
const littleEndian = (block: Uint8Array) => BigInt(`0x${Buffer.from(block).reverse().toString('hex')}`);
const blockOf = (number: bigint) => Buffer.from(number.toString(16).padStart(32, '0'), 'hex').reverse();
const modulo = (number: bigint) => ((number % P) + P) % P;

function inverse(number: bigint): bigint {
  let result = 1n;
  for (let base = number, power = P - 2n; power > 0n; power >>= 1n, base = (base * base) % P) {
    if (power & 1n) result = (result * base) % P;
  }
  return result;
}

/** A message of two blocks after which Poly1305's accumulator is `state`: where carries and the last reduction go wrong. */
function reaching(state: bigint, key: Uint8Array, nonce: Uint8Array): Vector {
  const stream = chacha20(key, nonce, new Uint8Array(32), undefined, 1);
  const oneTimeKey = chacha20(key, nonce, new Uint8Array(32), undefined, 0);
  const r = littleEndian(oneTimeKey.subarray(0, 16)) & 0x0ffffffc0ffffffc0ffffffc0fffffffn;
  for (let attempt = 0; attempt < 200; attempt++) {
    const first = bytes(`block ${attempt}`, 16);
    const after = modulo((littleEndian(first) + 2n ** 128n) * r);
    const second = modulo(state * inverse(r) - after) - 2n ** 128n;
    if (second < 0n || second >= 2n ** 128n) continue;
    const body = Buffer.concat([first, blockOf(second)]);
    const message = body.map((byte, at) => byte ^ (stream[at] ?? 0));
    return { key, nonce, aad: Buffer.alloc(0), message };
  }
  throw new Error('No message reaches this state.');
}

describe('CHACHA20_POLY1305 where its arithmetic has edges', () => {
  const STATES = [
    0n,
    1n,
    2n,
    4n,
    5n,
    P - 1n,
    P - 2n,
    P - 5n,
    ...[26, 32, 52, 64, 78, 96, 104, 127, 128, 129].flatMap((bits) => [
      2n ** BigInt(bits) - 1n,
      2n ** BigInt(bits),
      P - 2n ** BigInt(bits),
    ]),
  ];

  it('opens what reaches them, and nothing with another tag', () => {
    for (const [at, state] of STATES.entries()) {
      const { key, nonce, aad, message } = reaching(state, bytes(`edge ${at}`, 32), bytes(`edge ${at}`, 12));
      const sealed = Buffer.concat([nonce, chacha20poly1305(key, nonce, aad).encrypt(message)]);
      expect(aeadOpen('CHACHA20_POLY1305', key, sealed, aad).equals(message), String(state)).toBe(true);
      sealed[sealed.byteLength - 1] = (sealed.at(-1) ?? 0) ^ 1;
      expect(() => aeadOpen('CHACHA20_POLY1305', key, sealed, aad)).toThrow(DecryptionFailedError);
    }
  });
});
