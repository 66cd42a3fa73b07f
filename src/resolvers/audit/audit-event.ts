import type { AuditEventModel } from '../../db/generated/models.ts';
import type { Region, RequestContext } from '../context/request-context.ts';
import { mayReadAudit } from './audit-access.ts';

/** An event in the log of its region, whose caller may read it. */
export type AuditEvent = AuditEventModel;

/** The event of this id, if it is of the caller's scope and the caller may read the log. */
export async function readableAuditEvent(
  ctx: RequestContext,
  region: Region,
  id: string,
): Promise<AuditEvent | null> {
  if (!(await mayReadAudit(ctx, region))) return null;
  const { organisation, project } = ctx.principal;
  const row = await region.db.client.auditEvent.findUnique({
    where: { organisation_id: { organisation, id } },
  });
  return row && (project === '' || row.project === project) ? row : null;
}
