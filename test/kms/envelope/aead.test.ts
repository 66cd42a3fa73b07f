import { randomBytes, webcrypto } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DecryptionFailedError } from '../../../src/errors.ts';
import {
  type AeadAlgorithm,
  aeadOpen,
  aeadSeal,
  KEY_BYTES,
  SEAL_OVERHEAD_BYTES,
} from '../../../src/kms/envelope/aead.ts';

const ALGORITHMS: readonly AeadAlgorithm[] = ['AES256_GCM96', 'CHACHA20_POLY1305'];
const hex = (text: string) => Buffer.from(text.replaceAll(/\s/g, ''), 'hex');
/** WebCrypto wants memory that nobody shares. */
const own = (bytes: Uint8Array) => Uint8Array.from(bytes);

const importKey = (key: Uint8Array) =>
  webcrypto.subtle.importKey('raw', own(key), 'AES-GCM', false, ['encrypt', 'decrypt']);
const bytesOf = (maxLength: number) => fc.uint8Array({ maxLength });
const aKey = fc.uint8Array({ minLength: KEY_BYTES, maxLength: KEY_BYTES });

describe.each(ALGORITHMS)('%s', (algorithm) => {
  const key = randomBytes(KEY_BYTES);
  const aad = Buffer.from('context');
  const sealed = aeadSeal(algorithm, key, Buffer.from('value'), aad);

  it('refuses what is cut short, at every length and from either end', () => {
    for (let length = 0; length < sealed.byteLength; length++) {
      expect(() => aeadOpen(algorithm, key, sealed.subarray(0, length), aad)).toThrow(DecryptionFailedError);
      expect(() => aeadOpen(algorithm, key, sealed.subarray(sealed.byteLength - length), aad)).toThrow(
        DecryptionFailedError,
      );
    }
  });

  it('refuses every flipped bit', () => {
    for (let bit = 0; bit < sealed.byteLength * 8; bit++) {
      const flipped = Buffer.from(sealed);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(() => aeadOpen(algorithm, key, flipped, aad)).toThrow(DecryptionFailedError);
    }
  });

  it('refuses another key, another context and none', () => {
    expect(() => aeadOpen(algorithm, randomBytes(KEY_BYTES), sealed, aad)).toThrow(DecryptionFailedError);
    expect(() => aeadOpen(algorithm, key, sealed, Buffer.from('Context'))).toThrow(DecryptionFailedError);
    expect(() => aeadOpen(algorithm, key, sealed, Buffer.alloc(0))).toThrow(DecryptionFailedError);
  });

  it('refuses what the other algorithm sealed', () => {
    const other = algorithm === 'AES256_GCM96' ? 'CHACHA20_POLY1305' : 'AES256_GCM96';
    expect(() => aeadOpen(other, key, sealed, aad)).toThrow(DecryptionFailedError);
  });

  it('opens what it sealed, and adds the overhead that it states', () => {
    fc.assert(
      fc.property(aKey, bytesOf(1000), bytesOf(200), (anyKey, plaintext, context) => {
        const made = aeadSeal(algorithm, anyKey, plaintext, context);
        expect(made.byteLength).toBe(plaintext.byteLength + SEAL_OVERHEAD_BYTES);
        expect(aeadOpen(algorithm, anyKey, made, context).equals(plaintext)).toBe(true);
      }),
    );
  });

  it('takes a fresh nonce each time', () => {
    const nonces = Array.from({ length: 1000 }, () =>
      aeadSeal(algorithm, key, Buffer.of(1), aad).subarray(0, 12).toString('hex'),
    );
    expect(new Set(nonces).size).toBe(1000);
  });
});

describe('AES256_GCM96 beside WebCrypto', () => {
  const cases = fc.tuple(aKey, bytesOf(500), bytesOf(100));

  it('opens what WebCrypto seals', async () => {
    await fc.assert(
      fc.asyncProperty(cases, async ([key, plaintext, additionalData]) => {
        const iv = own(randomBytes(12));
        const algorithm = { name: 'AES-GCM', iv, additionalData: own(additionalData), tagLength: 128 };
        const body = await webcrypto.subtle.encrypt(algorithm, await importKey(key), own(plaintext));
        const sealed = Buffer.concat([iv, new Uint8Array(body)]);
        expect(aeadOpen('AES256_GCM96', key, sealed, additionalData).equals(plaintext)).toBe(true);
      }),
    );
  });

  it('seals what WebCrypto opens', async () => {
    await fc.assert(
      fc.asyncProperty(cases, async ([key, plaintext, additionalData]) => {
        const sealed = own(aeadSeal('AES256_GCM96', key, plaintext, additionalData));
        const iv = sealed.slice(0, 12);
        const algorithm = { name: 'AES-GCM', iv, additionalData: own(additionalData), tagLength: 128 };
        const opened = await webcrypto.subtle.decrypt(algorithm, await importKey(key), sealed.slice(12));
        expect(Buffer.from(opened).equals(plaintext)).toBe(true);
      }),
    );
  });
});

describe('published vectors', () => {
  it('test case 16 of the GCM specification opens', () => {
    const key = hex('feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308');
    const sealed = hex(`cafebabefacedbaddecaf888
      522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa
      8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662
      76fc6ece0f4e1768cddf8853bb2d551b`);
    const plaintext = hex(`d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72
      1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39`);
    const aad = hex('feedfacedeadbeeffeedfacedeadbeefabaddad2');
    expect(aeadOpen('AES256_GCM96', key, sealed, aad)).toEqual(plaintext);
  });

  it('the example of RFC 8439, 2.8.2, opens', () => {
    const key = hex('808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f');
    const sealed = hex(`070000004041424344454647
      d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6
      3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36
      92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc
      3ff4def08e4b7a9de576d26586cec64b6116
      1ae10b594f09e26a7e902ecbd0600691`);
    const opened = aeadOpen('CHACHA20_POLY1305', key, sealed, hex('50515253c0c1c2c3c4c5c6c7'));
    expect(opened.toString('ascii')).toBe(
      "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.",
    );
  });

  it.each([
    [13, '00'.repeat(32), '00'.repeat(12), '', '530f8afbc74536b9a963b4f1c4cb738b'],
    [
      ...([14, '00'.repeat(32), '00'.repeat(12), '00'.repeat(16)] as const),
      'cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919',
    ],
    [
      ...([15, 'feffe9928665731c6d6a8f9467308308'.repeat(2), 'cafebabefacedbaddecaf888'] as const),
      `d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72
       1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255`,
      `522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa
       8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad
       b094dac5d93471bdec1a502270e3cc6c`,
    ],
  ])('test case %i of the GCM specification opens', (_case, key, nonce, plaintext, sealed) => {
    const opened = aeadOpen('AES256_GCM96', hex(key), hex(nonce + sealed), Buffer.alloc(0));
    expect(opened).toEqual(hex(plaintext));
  });

  it('the example of RFC 8439, appendix A.5, opens', () => {
    const key = hex('1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0');
    const sealed = hex(`000000000102030405060708
      64a0861575861af460f062c79be643bd5e805cfd345cf389f108670ac76c8cb2
      4c6cfc18755d43eea09ee94e382d26b0bdb7b73c321b0100d4f03b7f355894cf
      332f830e710b97ce98c8a84abd0b948114ad176e008d33bd60f982b1ff37c855
      9797a06ef4f0ef61c186324e2b3506383606907b6a7c02b0f9f6157b53c867e4
      b9166c767b804d46a59b5216cde7a4e99040c5a40433225ee282a1b0a06c523e
      af4534d7f83fa1155b0047718cbc546a0d072b04b3564eea1b422273f548271a
      0bb2316053fa76991955ebd63159434ecebb4e466dae5a1073a6727627097a10
      49e617d91d361094fa68f0ff77987130305beaba2eda04df997b714d6c6f2c29
      a6ad5cb4022b02709b
      eead9d67890cbb22392336fea1851f38`);
    const opened = aeadOpen('CHACHA20_POLY1305', key, sealed, hex('f33388860000000000004e91'));
    expect(opened.toString('utf8')).toBe(
      'Internet-Drafts are draft documents valid for a maximum of six months and may be updated, replaced, ' +
        'or obsoleted by other documents at any time. It is inappropriate to use Internet-Drafts as reference ' +
        'material or to cite them other than as /\u201cwork in progress./\u201d',
    );
  });
});
