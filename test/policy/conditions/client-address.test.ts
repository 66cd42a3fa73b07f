import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { parseCidr } from '../../../src/policy/conditions/cidr.ts';
import { clientAddress } from '../../../src/policy/conditions/client-address.ts';

const trusted = ['10.0.0.0/24', 'fd00::/64'].map((text) => {
  const cidr = parseCidr(text);
  if (cidr === null) throw new Error('The test itself is wrong.');
  return cidr;
});
const proxy = '10.0.0.1';

describe('clientAddress', () => {
  it('believes no X-Forwarded-For of a peer that is no trusted proxy (CVE-2025-22271)', () => {
    expect(clientAddress('203.0.113.9', ['10.1.1.1'], trusted)).toBe('203.0.113.9');
    expect(clientAddress('10.0.1.1', ['192.0.2.1'], trusted)).toBe('10.0.1.1');
    expect(clientAddress(proxy, ['192.0.2.1'], [])).toBe(proxy);
  });

  it('believes nothing to the left of the first hop that is no trusted proxy (CVE-2025-22271)', () => {
    expect(clientAddress(proxy, ['127.0.0.1, 203.0.113.9'], trusted)).toBe('203.0.113.9');
    expect(clientAddress(proxy, ['10.0.0.7, 203.0.113.9, 10.0.0.2'], trusted)).toBe('203.0.113.9');
    expect(clientAddress(proxy, ['junk, %%%, 203.0.113.9'], trusted)).toBe('203.0.113.9');
  });

  it('reads several headers as one list, so a header of the client comes before that of the proxy', () => {
    expect(clientAddress(proxy, ['127.0.0.1', '203.0.113.9'], trusted)).toBe('203.0.113.9');
    expect(clientAddress(proxy, ['203.0.113.9', '10.0.0.3, 10.0.0.2'], trusted)).toBe('203.0.113.9');
  });

  it.each([
    ['an empty hop', ['']],
    ['an empty hop at the right', ['203.0.113.9,']],
    ['white space', ['203.0.113.9, \t ']],
    ['garbage', ['unknown']],
    ['an obfuscated name (RFC 7239)', ['_hidden']],
    ['a port', ['203.0.113.9:4711']],
    ['brackets', ['[2001:db8::1]']],
    ['brackets and a port', ['[2001:db8::1]:443']],
    ['a zone id', ['fe80::1%eth0']],
    ['octal (CVE-2021-28918)', ['0313.0.113.9']],
    ['a short form (CVE-2024-29415)', ['127.1']],
    ['a plain number (CVE-2024-29415)', ['2130706433']],
    ['quotes', ['"203.0.113.9"']],
    ['two addresses without a comma', ['203.0.113.9 203.0.113.10']],
    ['a no-break space', ['\u00a0203.0.113.9']],
    ['garbage behind trusted hops', ['203.0.113.9, junk, 10.0.0.2']],
    ['a second, empty header', ['203.0.113.9', '']],
  ])('does not know the client where it would be read from %s', (_, forwardedFor) => {
    expect(clientAddress(proxy, forwardedFor, trusted)).toBeNull();
  });

  it('does not take the proxy for the client where it forwards no address', () => {
    expect(clientAddress(proxy, [], trusted)).toBeNull();
  });

  it('does not know the client of a socket without an address, or with a zone id', () => {
    expect(clientAddress(undefined, ['203.0.113.9'], trusted)).toBeNull();
    expect(clientAddress('', ['203.0.113.9'], trusted)).toBeNull();
    expect(clientAddress('fe80::1%eth0', [], [])).toBeNull();
  });

  it('looks at 100 hops and no further', () => {
    const hops = (count: number) => Array<string>(count).fill('10.0.0.2').join(', ');
    expect(clientAddress(proxy, [`203.0.113.9, ${hops(100)}`], trusted)).toBeNull();
    expect(clientAddress(proxy, [hops(101)], trusted)).toBeNull();
    expect(clientAddress(proxy, [`203.0.113.9, ${hops(99)}`], trusted)).toBe('203.0.113.9');
    expect(clientAddress(proxy, [hops(100)], trusted)).toBe('10.0.0.2');
  });

  it('reads a header of the largest size in no time', () => {
    const started = performance.now();
    for (const filler of [' ', ',', '1', ', ', '\t \t']) {
      expect(clientAddress(proxy, [`1${filler.repeat(500_000)}1`], trusted)).toBeNull();
    }
    expect(performance.now() - started).toBeLessThan(1_000);
  });

  it('takes the leftmost hop where all are trusted proxies', () => {
    expect(clientAddress(proxy, ['10.0.0.3, 10.0.0.2'], trusted)).toBe('10.0.0.3');
    expect(clientAddress(proxy, ['10.0.0.3', 'fd00::2'], trusted)).toBe('10.0.0.3');
  });

  it('answers in canonical text, IPv4-mapped addresses as IPv4', () => {
    expect(clientAddress('::ffff:203.0.113.9', [], [])).toBe('203.0.113.9');
    expect(clientAddress('::ffff:10.0.0.1', ['::ffff:cb00:7109'], trusted)).toBe('203.0.113.9');
    expect(clientAddress('FD00:0::1', ['2001:0DB8:0:0::1'], trusted)).toBe('2001:db8::1');
    expect(clientAddress(proxy, [' \t203.0.113.9\t ,10.0.0.2 '], trusted)).toBe('203.0.113.9');
  });

  it('gives a client no way to change the address that its proxy appends', () => {
    const forged = fc.array(fc.oneof(fc.ipV4(), fc.ipV6(), fc.string(), fc.constant('10.0.0.9')), {
      maxLength: 200,
    });
    fc.assert(
      fc.property(
        forged,
        fc.array(fc.constantFrom('10.0.0.2', 'fd00::9'), { maxLength: 20 }),
        (claims, proxies) => {
          const header = [...claims, '203.0.113.9', ...proxies].join(', ');
          expect(clientAddress(proxy, [header], trusted)).toBe('203.0.113.9');
        },
      ),
    );
  });
});
