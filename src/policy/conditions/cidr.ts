import { formatIpAddress, parseIpAddress } from './ip-address.ts';
import type { IpAddress } from './ip-address.ts';

/** A block of addresses: those whose first `prefixLength` bits are the network's. */
export interface Cidr {
  readonly network: IpAddress;
  readonly prefixLength: number;
}

const PREFIX_LENGTH = /^(?:0|[1-9]\d{0,2})$/;
/** Where an IPv4 address starts in its IPv4-mapped form. */
const MAPPED_BITS = 96;

/**
 * Reads `address/prefix length`. Null for everything else, a bare address and a network with host bits set included: what
 * its author meant by `10.0.0.1/8` is anybody's guess. An IPv4-mapped network (`::ffff:10.0.0.0/104`) is the IPv4
 * network. A wider IPv6 network is one of IPv6 alone: `::/0` holds no IPv4 address.
 */
export function parseCidr(text: string): Cidr | null {
  const [addressText = '', lengthText = '', ...more] = text.split('/', 3);
  const network = parseIpAddress(addressText);
  if (network === null || more.length > 0 || !PREFIX_LENGTH.test(lengthText)) return null;
  const isMapped = network.family === 4 && addressText.includes(':');
  const prefixLength = Number(lengthText) - (isMapped ? MAPPED_BITS : 0);
  if (prefixLength < 0 || prefixLength > bitsOf(network)) return null;
  return BigInt.asUintN(bitsOf(network) - prefixLength, network.value) === 0n
    ? { network, prefixLength }
    : null;
}

/** Whether the address lies in the block; never across families. */
export function cidrContains({ network, prefixLength }: Cidr, address: IpAddress): boolean {
  const hostBits = BigInt(bitsOf(network) - prefixLength);
  return address.family === network.family && address.value >> hostBits === network.value >> hostBits;
}

/** The canonical text, which `parseCidr` reads back as the same block. */
export function formatCidr({ network, prefixLength }: Cidr): string {
  return `${formatIpAddress(network)}/${prefixLength}`;
}

function bitsOf({ family }: IpAddress): number {
  return family === 4 ? 32 : 128;
}
