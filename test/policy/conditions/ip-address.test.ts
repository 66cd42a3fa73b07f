import { isIP } from 'node:net';

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { formatIpAddress, parseIpAddress } from '../../../src/policy/conditions/ip-address.ts';

const canonical = (text: string) => {
  const address = parseIpAddress(text);
  return address === null ? null : formatIpAddress(address);
};

const octets = fc.array(fc.nat(255), { minLength: 4, maxLength: 4 });
const groups = fc.array(fc.oneof(fc.constant(0), fc.nat(0xffff)), { minLength: 8, maxLength: 8 });

describe('parseIpAddress', () => {
  it.each([
    ['CVE-2021-28918, octal', ['010.0.0.1', '0177.0.0.1', '127.0.0.01', '00.0.0.0', '::ffff:010.0.0.1']],
    ['CVE-2023-42282, hexadecimal', ['0x7f.0.0.1', '0x7f.1', '0x7f000001', '::ffff:0x7f.0.0.1']],
    [
      'CVE-2024-29415, short and plain numbers',
      ['127.1', '10.1.1', '127', '2130706433', '::ffff:127.1', '0'],
    ],
    ['zone ids', ['fe80::1%eth0', 'fe80::1%1', 'fe80::1%', '::1%lo', '::ffff:10.0.0.1%eth0', '10.0.0.1%1']],
    ['ports and brackets', ['10.0.0.1:443', '[::1]', '[::1]:443', '::1]', '"10.0.0.1"']],
    ['white space', ['', ' ', ' 10.0.0.1', '10.0.0.1 ', '10.0.0.1\n', '\t::1', '::1\0', '10. 0.0.1']],
    ['numbers out of range', ['256.0.0.1', '1.2.3.999', '1.2.3.1000', '10000::', '::12345', '::1.2.3.256']],
    ['signs and exponents', ['+1.2.3.4', '-1.2.3.4', '1e1.0.0.0', '1_0.0.0.0', '::+1', '::-1']],
    ['the wrong count of parts', ['1.2.3', '1.2.3.4.5', '1.2.3.', '.1.2.3', '1..2.3', '1:2:3:4:5:6:7']],
    [
      'too many groups',
      ['1:2:3:4:5:6:7:8:9', '1:2:3:4:5:6:7:8::', '1::2:3:4:5:6:7:8', '1:2:3:4:5:6:7:1.2.3.4'],
    ],
    [
      'stray colons',
      [':', ':::', '::::', '1::2::3', ':1', '1:', '1:::2', ':1:2:3:4:5:6:7', '1:2:3:4:5:6:7:'],
    ],
    [
      'an embedded IPv4 that is no tail',
      ['1.2.3.4::', '::1.2.3.4:1', '::1.2.3.4:1.2.3.4', '1.2.3.4::1.2.3.4'],
    ],
    ['digits of other scripts', ['\u0661.2.3.4', '\uff11.2.3.4', '::\uff11', '\uff11:2:3:4:5:6:7:8']],
    ['names and blocks', ['localhost', 'example.org', '10.0.0.0/8', '::/0', 'null', '::g']],
    ['leading zeros beyond a group', ['00001::', '::00000', '0:0:0:0:0:0ffff:1:2']],
    ['text of any length', ['1'.repeat(1_000_000), ':'.repeat(1_000_000), '0.'.repeat(500_000)]],
  ])('refuses %s', (_, texts) => {
    expect(texts.filter((text) => parseIpAddress(text) !== null)).toEqual([]);
  });

  it.each([
    '::ffff:10.0.0.1',
    '::ffff:0a00:1',
    '::FFFF:a00:0001',
    '0:0:0:0:0:ffff:10.0.0.1',
    '0::ffff:a00:1',
  ])('reads the IPv4-mapped %s as IPv4 (CVE-2024-29415, CVE-2024-24790)', (text) => {
    expect(parseIpAddress(text)).toEqual({ family: 4, value: 0x0a000001n });
  });

  it('reads the longest text there is', () => {
    expect(canonical('0000:0000:0000:0000:0000:ffff:255.255.255.255')).toBe('255.255.255.255');
    expect(canonical('abcd:abcd:abcd:abcd:abcd:abcd:255.255.255.255')).toBe(
      'abcd:abcd:abcd:abcd:abcd:abcd:ffff:ffff',
    );
  });

  it.each(['::fffe:10.0.0.1', '::10.0.0.1', '64:ff9b::10.0.0.1', '::1:ffff:10.0.0.1', '2002:a00:1::'])(
    'does not take %s, which only resembles a mapped address, for IPv4',
    (text) => {
      expect(parseIpAddress(text)?.family).toBe(6);
    },
  );

  it('accepts nothing that node:net refuses, and all that it accepts but zone ids', () => {
    const text = fc.oneof(
      fc.ipV4(),
      fc.ipV6(),
      fc.ipV4Extended(),
      fc.string({ unit: fc.constantFrom(...'0123459af:.%x'.split('')) }),
      fc
        .array(fc.constantFrom('::', ':', '0', 'ffff', '1.2.3.4', '1', '.', '%1'), { maxLength: 17 })
        .map((a) => a.join('')),
    );
    fc.assert(
      fc.property(text, (input) => {
        const family = input.includes('%') ? 0 : isIP(input);
        const parsed = parseIpAddress(input);
        expect(parsed !== null).toBe(family !== 0);
        if (parsed?.family === 6) expect(family).toBe(6);
      }),
      { numRuns: 5_000 },
    );
  });

  it('reads the number that the octets and groups spell', () => {
    const spell = (parts: number[], bits: number) =>
      parts.map((n) => n.toString(2).padStart(bits, '0')).join('');
    fc.assert(
      fc.property(octets, (parts) => {
        expect(parseIpAddress(parts.join('.'))).toEqual({ family: 4, value: BigInt(`0b${spell(parts, 8)}`) });
      }),
    );
    fc.assert(
      fc.property(groups, (parts) => {
        const value = BigInt(`0b${spell(parts, 16)}`);
        fc.pre(value >> 32n !== 0xffffn);
        const text = parts.map((group) => group.toString(16)).join(':');
        expect(parseIpAddress(text)).toEqual({ family: 6, value });
      }),
    );
  });
});

describe('formatIpAddress', () => {
  it.each([
    ['2001:0DB8:0:0:0:0:0:0001', '2001:db8::1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['0:0:0:0:0:0:0:0', '::'],
    ['0:0:0:0:0:0:0:1', '::1'],
    ['1:0:0:0:0:0:0:0', '1::'],
    ['0:1:1:1:1:1:0:0', '0:1:1:1:1:1::'],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
    ['::10.0.0.1', '::a00:1'],
  ])('writes %s as RFC 5952 does: %s', (text, expected) => {
    expect(canonical(text)).toBe(expected);
  });

  it('writes what parses back to the same address', () => {
    const v4 = fc.bigInt(0n, 2n ** 32n - 1n).map((value) => ({ family: 4, value }) as const);
    const v6 = groups
      .map((parts) => parts.reduce((value, group) => (value << 16n) | BigInt(group), 0n))
      .filter((value) => value >> 32n !== 0xffffn)
      .map((value) => ({ family: 6, value }) as const);
    fc.assert(
      fc.property(fc.oneof(v4, v6), (address) => {
        expect(parseIpAddress(formatIpAddress(address))).toEqual(address);
      }),
      { numRuns: 1_000 },
    );
  });

  it('writes IPv6 as the URL standard does', () => {
    fc.assert(
      fc.property(groups, (parts) => {
        const text = parts.map((group) => group.toString(16)).join(':');
        fc.pre(parseIpAddress(text)?.family === 6);
        expect(`[${canonical(text) ?? ''}]`).toBe(new URL(`http://[${text}]/`).hostname);
      }),
      { numRuns: 1_000 },
    );
  });
});
