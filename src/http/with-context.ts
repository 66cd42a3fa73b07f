import { zeroEntries } from '../kms/envelope/envelope.ts';
import type { Cidr } from '../policy/conditions/cidr.ts';
import { clientAddress } from '../policy/conditions/client-address.ts';
import type { Loaders } from '../resolvers/context/loaders.ts';
import type { Followers, Region, RequestContext } from '../resolvers/context/request-context.ts';
import { RequestLimits } from '../resolvers/context/request-limits.ts';
import { type AuthenticateOptions, authenticateRequest } from './authenticate-request.ts';
import { headerValues } from './header-values.ts';
import type { Exchange } from './route.ts';

export interface ContextOptions extends AuthenticateOptions {
  readonly trustedProxies: readonly Cidr[];
  readonly followers: Followers;
}

const MAX_USER_AGENT_CHARACTERS = 256;

/**
 * Authenticates the caller and runs `use` with the context of the request, then zeroes the values that were opened for it.
 * Throws UNAUTHENTICATED or the refusal of the project.
 */
export async function withContext<T>(
  options: ContextOptions,
  exchange: Exchange,
  use: (ctx: RequestContext) => Promise<T>,
): Promise<T> {
  const ctx = await createContext(options, exchange);
  try {
    return await use(ctx);
  } finally {
    zeroEntries(ctx.openedEntries);
  }
}

async function createContext(
  options: ContextOptions,
  { request, requestId, ending }: Exchange,
): Promise<RequestContext> {
  const { regions, now, followers, trustedProxies } = options;
  const { remoteAddress } = request.socket;
  const address = clientAddress(remoteAddress, headerValues(request, 'x-forwarded-for'), trustedProxies);
  const userAgent = request.headers['user-agent']?.slice(0, MAX_USER_AGENT_CHARACTERS) ?? null;
  const origin = { requestId, sourceIp: address, userAgent };
  const principal = await authenticateRequest(options, request, origin);
  const loaders = new Map<Region, Loaders>();
  return {
    ...{ requestId, principal, clientAddress: address, userAgent, now, regions },
    limits: new RequestLimits(),
    loaders: (region) => {
      const made = loaders.get(region) ?? region.createLoaders(principal);
      loaders.set(region, made);
      return made;
    },
    openedEntries: [],
    following: { followers, ending },
  };
}
