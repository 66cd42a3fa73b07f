import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { decodeBase64 } from '../../../src/kms/envelope/decode-base64.ts';

it.each([
  ['the URL-safe alphabet', '_'.repeat(43) + '='],
  ['one letter of the URL-safe alphabet', `${'A'.repeat(41)}-A=`],
  ['unused bits that are set', `${'A'.repeat(42)}B=`],
  ['white space', `${'A'.repeat(20)}\n${'A'.repeat(22)}=`],
  ['no padding', `${'A'.repeat(43)}A`],
  ['31 bytes', Buffer.alloc(31).toString('base64')],
  ['33 bytes', Buffer.alloc(33).toString('base64')],
  ['another length', `${'A'.repeat(43)}==`],
  ['hexadecimal', Buffer.alloc(22).toString('hex')],
  ['nothing', ''],
  ['a number', 7],
  ['null', null],
])('%s is no base64 of 32 bytes', (_what, text) => {
  expect(decodeBase64(text, 32)).toBeNull();
});

it('canonical base64 of the length gives its bytes', () => {
  for (const length of [0, 1, 2, 3, 32, 60]) {
    const bytes = randomBytes(length);
    expect(decodeBase64(bytes.toString('base64'), length)?.equals(bytes)).toBe(true);
  }
});
