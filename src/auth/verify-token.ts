import { decodeJwt, decodeProtectedHeader, errors, jwtVerify, type JWTPayload } from 'jose';
import { RequestError } from '../errors.ts';
import { identityName } from './claim-rules.ts';
import type { IssuerConfig } from './issuer-config.ts';
import { openKeySet } from './key-set.ts';
import { unauthenticated } from './unauthenticated.ts';

export interface VerifiedToken {
  readonly issuer: IssuerConfig;
  readonly subject: string;
  readonly claims: Readonly<Record<string, unknown>>;
  readonly expiresAt: Date;
  /** Whether the keys that verified it are still those that would. */
  readonly stillHolds: () => boolean;
}

const MAX_TOKEN_BYTES = 8 * 1024;
/** Three parts, none empty, strictly base64url: five would be a JWE, and an empty signature is an unsigned token. */
const COMPACT_JWS = /^[\w-]+\.[\w-]+\.[\w-]+$/;
const TOKEN_TYPE = /^(?:application\/)?(?:at\+)?jwt$/i;
/** The last instant that a Date can hold (ECMA-262, Time Values). JSON's 1e400 reads as Infinity. */
const MAX_DATE_SECONDS = 8.64e12;

/**
 * Verifies access tokens (RFC 7519, RFC 9068, RFC 8725) against the configured issuers. Every rejection is a
 * RequestError: UNAUTHENTICATED with one text for all checks, or SERVICE_UNAVAILABLE when an issuer's keys cannot be had.
 */
export function createTokenVerifier(
  issuers: readonly IssuerConfig[],
): (token: string, at?: Date) => Promise<VerifiedToken> {
  const trusted = new Map(issuers.map((config) => [config.issuer, { config, keys: openKeySet(config) }]));

  async function verify(token: string, at: Date): Promise<VerifiedToken> {
    if (token.length > MAX_TOKEN_BYTES) throw unauthenticated('size');
    if (!COMPACT_JWS.test(token)) throw unauthenticated('compact serialization');
    checkHeader(token);
    const issuer = trusted.get(decodeJwt(token).iss ?? '');
    if (issuer === undefined) throw unauthenticated('iss');
    const { config, keys } = issuer;
    const generation = keys.generation();
    const { payload } = await jwtVerify(token, keys.find, {
      algorithms: [...config.algorithms],
      issuer: config.issuer,
      audience: [...config.audience],
      requiredClaims: ['iss', 'aud', 'exp', 'sub'],
      clockTolerance: config.clockSkewSeconds,
      currentDate: at,
    });
    return {
      issuer: config,
      ...checkClaims(payload, at.getTime() / 1000 + config.clockSkewSeconds),
      claims: payload,
      stillHolds: () => generation !== null && keys.generation() === generation,
    };
  }

  return async (token, at = new Date()) => {
    try {
      return await verify(token, at);
    } catch (error) {
      throw error instanceof RequestError ? error : unauthenticated(failedCheck(error));
    }
  };
}

/** What jose leaves to its caller; `jku`, `x5u`, `x5c` and `jwk` are not looked at by anybody. */
function checkHeader(token: string): void {
  const header = decodeHeader(token);
  const { typ } = header;
  if (typ !== undefined && !(typeof typ === 'string' && TOKEN_TYPE.test(typ))) throw unauthenticated('typ');
  // jose understands `b64` alone, which has no place in a JWT (RFC 7797 section 7).
  if (Object.hasOwn(header, 'crit')) throw unauthenticated('crit');
}

function decodeHeader(token: string): Readonly<Record<string, unknown>> {
  try {
    return decodeProtectedHeader(token);
  } catch {
    throw unauthenticated('header');
  }
}

function checkClaims(payload: JWTPayload, latestSeconds: number): { subject: string; expiresAt: Date } {
  const { aud, exp, iat, sub } = payload;
  if (Array.isArray(aud) && !aud.every((name) => typeof name === 'string')) throw unauthenticated('aud');
  if (exp === undefined || Math.abs(exp) > MAX_DATE_SECONDS) throw unauthenticated('exp');
  if (iat !== undefined && iat > latestSeconds) throw unauthenticated('iat');
  const subject = identityName.safeParse(sub);
  if (!subject.success) throw unauthenticated('sub');
  return { subject: subject.data, expiresAt: new Date(exp * 1000) };
}

/** jose's own error holds the whole payload: only its code, and the name of the claim that it was asked to check, leave. */
function failedCheck(error: unknown): string {
  if (error instanceof errors.JWTClaimValidationFailed || error instanceof errors.JWTExpired)
    return error.claim;
  if (error instanceof errors.JOSEError) return error.code;
  return error instanceof Error ? error.name : 'unknown';
}
