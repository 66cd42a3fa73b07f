import { cidrContains } from './cidr.ts';
import type { Cidr } from './cidr.ts';
import { formatIpAddress, parseIpAddress } from './ip-address.ts';
import type { IpAddress } from './ip-address.ts';

const MAX_HOPS = 100;
/** A hop without the spaces and tabs around it, in linear time; no match where there are some inside. */
const HOP = /^[ \t]*([^ \t]*)[ \t]*$/;

/**
 * The canonical text of the client's address; null when it is unknown, which no ALLOW condition matches and every DENY
 * condition does. `forwardedFor` holds the raw `X-Forwarded-For` values in order of arrival; they count only when the
 * socket's peer is a trusted proxy, and are then read from the right, past the hops that are trusted proxies too:
 * everything to the left of the first other hop is what that client claims. `X-Real-IP` and `Forwarded` never count.
 *
 * A trusted proxy that forwards no address, or one that does not parse, gives null and not its own address: that one is
 * usually inside the very network which policies allow, so a proxy that lost its setting would let everybody in.
 */
export function clientAddress(
  socketAddress: string | undefined,
  forwardedFor: readonly string[],
  trustedProxies: readonly Cidr[],
): string | null {
  const isTrusted = (address: IpAddress) => trustedProxies.some((proxy) => cidrContains(proxy, address));
  const peer = socketAddress === undefined ? null : parseIpAddress(socketAddress);
  if (peer === null) return null;
  if (!isTrusted(peer)) return formatIpAddress(peer);

  const hops = forwardedFor.join(',').split(',');
  let address: IpAddress | null = null;
  for (const hop of hops.slice(-MAX_HOPS).reverse()) {
    address = parseIpAddress(HOP.exec(hop)?.[1] ?? '');
    if (address === null) return null;
    if (!isTrusted(address)) return formatIpAddress(address);
  }
  // All trusted: the request began at the leftmost proxy, unless that one lies beyond the hops looked at.
  return address === null || hops.length > MAX_HOPS ? null : formatIpAddress(address);
}
