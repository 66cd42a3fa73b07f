import { RequestError } from '../errors.ts';
import type { Resource } from '../policy/policy.ts';
import { may } from './authorise.ts';
import type { RequestContext } from './request-context.ts';

const AUDIT_LOG: Resource = { kind: 'audit', name: '' };

export function mayReadAudit(ctx: RequestContext): boolean {
  return may(ctx, 'AUDIT_READ', AUDIT_LOG);
}

/** Throws FORBIDDEN unless the caller may read the log of its scope. No event tells of it: queries of the log write none. */
export function requireAuditRead(ctx: RequestContext): void {
  if (!mayReadAudit(ctx)) throw new RequestError('FORBIDDEN', 'This needs the permission AUDIT_READ.');
}
