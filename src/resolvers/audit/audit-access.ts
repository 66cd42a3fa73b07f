import { RequestError } from '../../errors.ts';
import type { Resource } from '../../policy/policy.ts';
import type { Region, RequestContext } from '../context/request-context.ts';
import { decidingIn, may } from '../operation/authorise.ts';

const AUDIT_LOG: Resource = { kind: 'audit', name: '' };

export async function mayReadAudit(ctx: RequestContext, region: Region): Promise<boolean> {
  return may(await decidingIn(ctx, region), 'AUDIT_READ', AUDIT_LOG);
}

/** Throws FORBIDDEN unless the caller may read the log of its scope. No event tells of it: queries of the log write none. */
export async function requireAuditRead(ctx: RequestContext, region: Region): Promise<void> {
  if (await mayReadAudit(ctx, region)) return;
  throw new RequestError('FORBIDDEN', 'This needs the permission AUDIT_READ.');
}
