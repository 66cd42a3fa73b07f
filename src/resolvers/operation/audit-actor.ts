import type { AuditActor } from '../../audit/event.ts';
import type { RequestContext } from '../context/request-context.ts';

/** Who acts in a request, as its events have it. */
export function auditActor(ctx: RequestContext): AuditActor {
  const { organisation, project, subject, issuer, roles } = ctx.principal;
  const { requestId, clientAddress, userAgent } = ctx;
  return { organisation, project, subject, issuer, roles, requestId, sourceIp: clientAddress, userAgent };
}
