import { roleNames } from './claim-rules.ts';
import { readClaim } from './claim-source.ts';
import { allows, type IssuerConfig } from './issuer-config.ts';
import type { Principal } from '../policy/principal.ts';
import { ProjectMismatchError } from './project-mismatch-error.ts';
import { PrincipalCache } from './principal-cache.ts';
import { parseScopeClaims } from './scope-claims.ts';
import { resolveScope } from './scope.ts';
import { unauthenticated } from './unauthenticated.ts';
import { createTokenVerifier } from './verify-token.ts';

/** Every value of `Authorization` and of `X-Project-Identity`, as received: [] is none, two are a repeated header. */
export interface CredentialHeaders {
  readonly authorization: readonly string[];
  readonly project: readonly string[];
}

export type Authenticate = (headers: CredentialHeaders, at?: Date) => Promise<Principal>;

/** RFC 6750 section 2.1; the scheme's case does not matter (RFC 9110 section 11.1). */
const BEARER = /^Bearer +([^ ]+)$/i;

/**
 * From the headers of a request to its principal. Rejects with a RequestError and nothing else: UNAUTHENTICATED,
 * SERVICE_UNAVAILABLE, BAD_REQUEST (the project header), or ProjectMismatchError, which tells whom to audit.
 */
export function createAuthenticator(issuers: readonly IssuerConfig[]): Authenticate {
  const verify = createTokenVerifier(issuers);
  const cache = new PrincipalCache();
  return async ({ authorization, project: projectHeader }, at = new Date()) => {
    const token = bearerToken(authorization);
    const id = PrincipalCache.idOf(token, projectHeader);
    const known = cache.get(id, at);
    if (known) return known;
    const { issuer, subject, claims, expiresAt, stillHolds } = await verify(token, at);
    const from = issuer.claims;
    const roles = roleNames.default([]).safeParse(readClaim(from.roles, claims));
    if (!roles.success) throw unauthenticated('roles');
    const scope = parseScopeClaims({
      organisation: readClaim(from.organisation, claims),
      project: readClaim(from.project, claims),
      projects: readClaim(from.projects, claims),
    });
    if (!allows(issuer.organisations, scope.organisation)) {
      throw unauthenticated('organisation is not one of the issuer');
    }
    // The header is judged last: who is not authenticated learns nothing about it.
    const { project, requestedProject } = resolveScope(scope, projectHeader);
    const identity = {
      subject,
      issuer: issuer.issuer,
      organisation: scope.organisation,
      roles: roles.data.filter((role) => allows(issuer.roles, role)),
    };
    if (project === null) throw new ProjectMismatchError(identity, requestedProject);
    const principal = { ...identity, project, claims, expiresAt };
    cache.keep(id, principal, at, stillHolds);
    return principal;
  };
}

function bearerToken(authorization: readonly string[]): string {
  const token = authorization.length === 1 ? BEARER.exec(authorization[0] ?? '')?.[1] : undefined;
  if (token === undefined) throw unauthenticated('Authorization header');
  return token;
}
