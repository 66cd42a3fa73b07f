/** An address as a number of 32 or 128 bits. IPv4-mapped IPv6 is IPv4: the two texts name one host. */
export interface IpAddress {
  readonly family: 4 | 6;
  readonly value: bigint;
}

/** The longest text an address has, six groups and a dotted tail; anything longer is not looked at. */
const MAX_TEXT_LENGTH = 45;
const OCTET = /^(?:0|[1-9]\d{0,2})$/;
const GROUP = /^[0-9a-f]{1,4}$/i;
const MAPPED_PREFIX = 0xffffn;

/**
 * Reads IPv4 in dotted decimal and IPv6 as in RFC 4291, section 2.2. Null for everything else: octal, hexadecimal, short
 * and plain-number IPv4, zone ids, brackets, ports, white space. Resolvers disagree about those forms, and what two
 * readers read differently passes a check in one of them (CVE-2021-28918, CVE-2024-29415).
 */
export function parseIpAddress(text: string): IpAddress | null {
  if (text.length > MAX_TEXT_LENGTH) return null;
  const value = text.includes(':') ? parseIpv6(text) : parseIpv4(text);
  if (value === null) return null;
  if (!text.includes(':')) return { family: 4, value };
  return value >> 32n === MAPPED_PREFIX
    ? { family: 4, value: BigInt.asUintN(32, value) }
    : { family: 6, value };
}

/** The canonical text: dotted decimal, or RFC 5952. `parseIpAddress` reads it back as the same address. */
export function formatIpAddress({ family, value }: IpAddress): string {
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => String((value >> shift) & 0xffn)).join('.');
  const groups = Array.from({ length: 8 }, (_, i) => BigInt.asUintN(16, value >> BigInt(112 - 16 * i)));
  const run = longestZeroRun(groups);
  const text = (part: readonly bigint[]) => part.map((group) => group.toString(16)).join(':');
  if (run === null) return text(groups);
  return `${text(groups.slice(0, run.start))}::${text(groups.slice(run.start + run.length))}`;
}

function parseIpv4(text: string): bigint | null {
  const octets = text.split('.');
  if (octets.length !== 4) return null;
  if (!octets.every((octet) => OCTET.test(octet) && Number(octet) <= 255)) return null;
  return BigInt(octets.reduce((value, octet) => value * 256 + Number(octet), 0));
}

function parseIpv6(text: string): bigint | null {
  const plain = replaceDottedTail(text);
  if (plain === null) return null;
  const [head = '', tail, ...more] = plain.split('::');
  if (more.length > 0) return null;
  const before = splitGroups(head);
  const after = splitGroups(tail ?? '');
  const missing = 8 - before.length - after.length;
  if (tail === undefined ? missing !== 0 : missing < 1) return null;
  const groups = [...before, ...Array<string>(missing).fill('0'), ...after];
  if (!groups.every((group) => GROUP.test(group))) return null;
  return BigInt(`0x${groups.map((group) => group.padStart(4, '0')).join('')}`);
}

/** `::ffff:10.0.0.1` as `::ffff:a00:1`; null when the tail is dotted but not an IPv4 address. */
function replaceDottedTail(text: string): string | null {
  const start = text.lastIndexOf(':') + 1;
  const tail = text.slice(start);
  if (!tail.includes('.')) return text;
  const value = parseIpv4(tail);
  if (value === null) return null;
  return `${text.slice(0, start)}${(value >> 16n).toString(16)}:${(value & 0xffffn).toString(16)}`;
}

function splitGroups(part: string): readonly string[] {
  return part === '' ? [] : part.split(':');
}

/** The first of the longest runs of two or more zero groups (RFC 5952, section 4.2). */
function longestZeroRun(groups: readonly bigint[]): { start: number; length: number } | null {
  let best: { start: number; length: number } | null = null;
  let length = 0;
  for (const [i, group] of groups.entries()) {
    length = group === 0n ? length + 1 : 0;
    if (length > (best?.length ?? 1)) best = { start: i - length + 1, length };
  }
  return best;
}
