import { BlockList } from 'node:net';

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { cidrContains, formatCidr, parseCidr } from '../../../src/policy/conditions/cidr.ts';
import { formatIpAddress, parseIpAddress } from '../../../src/policy/conditions/ip-address.ts';
import type { IpAddress } from '../../../src/policy/conditions/ip-address.ts';

const canonical = (text: string) => {
  const cidr = parseCidr(text);
  return cidr === null ? null : formatCidr(cidr);
};

const contains = (block: string, address: string) => {
  const cidr = parseCidr(block);
  const parsed = parseIpAddress(address);
  if (cidr === null || parsed === null) throw new Error('The test itself is wrong.');
  return cidrContains(cidr, parsed);
};

/** A network without host bits, and an address that shares a chosen number of its leading bits. */
const blockAndAddress = fc
  .record({
    family: fc.constantFrom(4 as const, 6 as const),
    base: fc.bigInt(0n, 2n ** 128n - 1n),
    noise: fc.bigInt(0n, 2n ** 128n - 1n),
    prefixLength: fc.nat(128),
    shared: fc.nat(128),
  })
  .map(({ family, base, noise, prefixLength, shared }) => {
    const bits = family === 4 ? 32 : 128;
    const length = prefixLength % (bits + 1);
    const keep = BigInt(bits - (shared % (bits + 1)));
    const full = BigInt.asUintN(bits, base);
    const hostBits = BigInt(bits - length);
    const network: IpAddress = { family, value: (full >> hostBits) << hostBits };
    const address: IpAddress = {
      family,
      value: ((full >> keep) << keep) | BigInt.asUintN(Number(keep), noise),
    };
    return { network, length, address };
  })
  .filter(({ network, address }) =>
    [network, address].every(({ family, value }) => family === 4 || value >> 32n !== 0xffffn),
  );

describe('parseCidr', () => {
  it.each([
    [
      'host bits',
      [
        '10.0.0.1/8',
        '10.0.0.1/0',
        '0.0.0.1/0',
        '1.2.3.5/31',
        '2001:db8::1/64',
        '::1/0',
        '::ffff:10.0.0.1/104',
      ],
    ],
    ['a bare address', ['10.0.0.0', '::', '10.0.0.0/', '/8', '/', '']],
    [
      'a prefix length with zeros, signs or fractions',
      ['10.0.0.0/08', '10.0.0.0/+8', '0.0.0.0/-0', '::/00', '10.0.0.0/8.0', '10.0.0.0/8e0', '10.0.0.0/0x8'],
    ],
    [
      'a prefix length beyond the family',
      ['10.0.0.0/33', '0.0.0.0/128', '::/129', '::ffff:10.0.0.0/129', '::/999', '::/1000'],
    ],
    ['a netmask for a prefix length', ['10.0.0.0/255.0.0.0', '::/ffff::']],
    ['white space', [' 10.0.0.0/8', '10.0.0.0/8 ', '10.0.0.0 /8', '10.0.0.0/ 8', '10.0.0.0/8\n']],
    ['more than one slash', ['10.0.0.0/8/8', '10.0.0.0//8', '10.0.0.0/8/', '/10.0.0.0/8', '::/0/0/0']],
    [
      'octal (CVE-2021-28918) and short (CVE-2024-29415) addresses',
      ['010.0.0.0/8', '10/8', '10.0/16', '167772160/8'],
    ],
    ['zone ids', ['fe80::%eth0/64', 'fe80::/64%eth0', 'fe80::%1/64']],
    [
      'a mapped network wider than the mapped space',
      ['::ffff:0:0/95', '::ffff:0.0.0.0/0', '::ffff:10.0.0.0/8', '::ffff:0.0.0.0/80'],
    ],
  ])('refuses %s', (_, texts) => {
    expect(texts.filter((text) => parseCidr(text) !== null)).toEqual([]);
  });

  it.each([
    ['::ffff:10.0.0.0/104', '10.0.0.0/8'],
    ['::ffff:0:0/96', '0.0.0.0/0'],
    ['0:0:0:0:0:FFFF:0a00:1/128', '10.0.0.1/32'],
  ])('reads the IPv4-mapped network %s as %s (CVE-2024-24790)', (text, expected) => {
    expect(canonical(text)).toBe(expected);
  });

  it.each([
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['10.0.0.0/8', '10.0.0.0/8'],
    ['192.168.1.1/32', '192.168.1.1/32'],
    ['::/0', '::/0'],
    ['2001:0DB8:0::/32', '2001:db8::/32'],
    ['::1/128', '::1/128'],
    ['::/80', '::/80'],
  ])('reads %s as %s', (text, expected) => {
    expect(canonical(text)).toBe(expected);
  });

  it('reads back what formatCidr writes', () => {
    fc.assert(
      fc.property(blockAndAddress, ({ network, length }) => {
        const cidr = { network, prefixLength: length };
        expect(parseCidr(formatCidr(cidr))).toEqual(cidr);
      }),
      { numRuns: 1_000 },
    );
  });

  it('refuses every network of which one host bit is set', () => {
    fc.assert(
      fc.property(blockAndAddress, fc.nat(127), ({ network, length }, bit) => {
        const bits = network.family === 4 ? 32 : 128;
        fc.pre(length < bits);
        const value = network.value | (1n << BigInt(bit % (bits - length)));
        expect(parseCidr(`${formatIpAddress({ ...network, value })}/${length}`)).toBeNull();
      }),
    );
  });
});

describe('cidrContains', () => {
  it('holds the neighbours of a block out', () => {
    expect(contains('10.0.0.0/8', '9.255.255.255')).toBe(false);
    expect(contains('10.0.0.0/8', '11.0.0.0')).toBe(false);
    expect(contains('2001:db8::/32', '2001:db7:ffff:ffff:ffff:ffff:ffff:ffff')).toBe(false);
    expect(contains('2001:db8::/32', '2001:db9::')).toBe(false);
    expect(contains('192.168.1.1/32', '192.168.1.0')).toBe(false);
  });

  it('never matches across families, however wide the block', () => {
    expect(contains('0.0.0.0/0', '::1')).toBe(false);
    expect(contains('0.0.0.0/0', '::10.0.0.1')).toBe(false);
    expect(contains('::/0', '10.0.0.1')).toBe(false);
    expect(contains('::/80', '::ffff:10.0.0.1')).toBe(false);
  });

  it('holds the first and the last address of a block', () => {
    expect(contains('10.0.0.0/8', '10.0.0.0')).toBe(true);
    expect(contains('10.0.0.0/8', '10.255.255.255')).toBe(true);
    expect(contains('2001:db8::/32', '2001:db8:ffff:ffff:ffff:ffff:ffff:ffff')).toBe(true);
    expect(contains('0.0.0.0/0', '255.255.255.255')).toBe(true);
    expect(contains('::/0', '::')).toBe(true);
  });

  it('holds a mapped address in its IPv4 block and the reverse (CVE-2024-29415)', () => {
    expect(contains('10.0.0.0/8', '::ffff:0a00:1')).toBe(true);
    expect(contains('::ffff:10.0.0.0/104', '10.0.0.1')).toBe(true);
  });

  it('agrees with node:net on every valid block and address', () => {
    fc.assert(
      fc.property(blockAndAddress, ({ network, length, address }) => {
        const family = network.family === 4 ? 'ipv4' : 'ipv6';
        const oracle = new BlockList();
        oracle.addSubnet(formatIpAddress(network), length, family);
        const expected = oracle.check(formatIpAddress(address), family);
        expect(cidrContains({ network, prefixLength: length }, address)).toBe(expected);
      }),
      { numRuns: 2_000 },
    );
  });
});
