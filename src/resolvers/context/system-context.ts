import { randomUUID } from 'node:crypto';
import type { Scope } from '../../db/secret-row.ts';
import type { Region, RequestContext } from './request-context.ts';
import { RequestLimits } from './request-limits.ts';

/** The service acting by itself, at start or in a background job: issuer `strongroom`, with all rights of the scope. */
export function systemContext(
  region: Region,
  scope: Scope,
  subject: string,
  now: () => Date,
): RequestContext {
  const { organisation, project } = scope;
  const principal = {
    ...{ subject, issuer: 'strongroom', organisation, project, roles: ['strongroom:admin'] },
    ...{ claims: {}, expiresAt: now() },
  };
  return {
    ...{ requestId: randomUUID(), principal, clientAddress: null, userAgent: null, now, regions: [region] },
    limits: new RequestLimits(),
    loaders: (from) => from.createLoaders(principal),
    openedEntries: [],
  };
}
