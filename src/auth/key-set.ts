import {
  createLocalJWKSet,
  createRemoteJWKSet,
  customFetch,
  errors,
  type ExportedJWKSCache,
  jwksCache,
  type JSONWebKeySet,
  type JWKSCacheInput,
  type JWTVerifyGetKey,
} from 'jose';
import { RequestError } from '../errors.ts';
import type { IssuerConfig } from './issuer-config.ts';

const FETCH_TIMEOUT_MS = 5_000;
/** A `kid` that is not in the cached set has it fetched anew, but only this long after the last success. */
const COOLDOWN_MS = 5_000;
/** How long a key that the issuer has withdrawn is still accepted at most. */
const CACHE_MAX_AGE_MS = 600_000;
/** Nor is an issuer that just failed asked again at once: jose's cooldown counts from the last success only. */
const PAUSE_AFTER_FAILURE_MS = 1_000;

/** The keys of one issuer. */
export interface KeySet {
  readonly find: JWTVerifyGetKey;
  /** What was verified holds while this gives the same answer as before; null: it has to be verified again. */
  readonly generation: () => number | null;
}

/**
 * The keys of one issuer, found by the token's `alg` and `kid`, each issuer with a cache of its own. A token whose
 * `kid` is unknown, or missing where several keys fit, is the token's fault (jose's error); a key set that cannot be
 * fetched or read is an outage: SERVICE_UNAVAILABLE.
 */
export function openKeySet({ issuer, keySet }: IssuerConfig): KeySet {
  const { find, generation } = typeof keySet === 'string' ? remoteKeySet(keySet) : inlineKeySet(keySet);
  const findOrFail: JWTVerifyGetKey = async (header, token) => {
    try {
      return await find(header, token);
    } catch (error) {
      if (isFaultOfToken(error)) throw error;
      const outage = new RequestError(
        'SERVICE_UNAVAILABLE',
        'Access tokens cannot be verified now; try again.',
      );
      const cause = new Error(`the key set of the issuer ${issuer} is not available`, { cause: error });
      throw Object.defineProperty(outage, 'cause', { value: cause });
    }
  };
  return { find: findOrFail, generation };
}

/** Fetches and reads the key set of an issuer once. Throws what stands in the way. */
export async function requireKeySet({ keySet }: IssuerConfig): Promise<void> {
  if (typeof keySet !== 'string') return;
  await createRemoteJWKSet(new URL(keySet), { timeoutDuration: FETCH_TIMEOUT_MS }).reload();
}

function isFaultOfToken(error: unknown): boolean {
  return (
    error instanceof errors.JWKSNoMatchingKey ||
    error instanceof errors.JWKSMultipleMatchingKeys ||
    error instanceof errors.JOSENotSupported
  );
}

function inlineKeySet(keySet: JSONWebKeySet): KeySet {
  return { find: createLocalJWKSet(keySet), generation: () => 0 };
}

function remoteKeySet(url: string): KeySet {
  let failedAtMs = -Infinity;
  const cache: Partial<ExportedJWKSCache> = {};
  const find = createRemoteJWKSet(new URL(url), {
    [jwksCache]: cache as JWKSCacheInput,
    timeoutDuration: FETCH_TIMEOUT_MS,
    cooldownDuration: COOLDOWN_MS,
    cacheMaxAge: CACHE_MAX_AGE_MS,
    // `init` says `redirect: 'manual'`, and jose takes nothing but a 200: a redirect is a failure.
    [customFetch]: async (href, init) => {
      if (performance.now() < failedAtMs + PAUSE_AFTER_FAILURE_MS)
        throw new Error('not asked again so soon after a failure');
      const response = await fetch(href, init).catch((error: unknown) => {
        failedAtMs = performance.now();
        throw error;
      });
      if (response.status !== 200) failedAtMs = performance.now();
      return response;
    },
  });
  const generation = () => {
    const { uat: fetchedAt = -Infinity } = cache;
    return Date.now() < fetchedAt + CACHE_MAX_AGE_MS ? fetchedAt : null;
  };
  return { find, generation };
}
