import type { Region, RequestContext } from '../context/request-context.ts';
import type { EventDraft } from './event-draft.ts';
import type { StatementOperation } from './operation.ts';
import { transact } from './transact.ts';

/**
 * The same for the operations that write most often: by prepared statements alone, on connections of their own, without
 * what Prisma costs for each.
 */
export function operateByStatements<T>(
  ctx: RequestContext,
  region: Region,
  draft: () => EventDraft,
  work: (operation: StatementOperation) => Promise<T>,
): Promise<T> {
  return transact(
    { ctx, region, draft },
    (attempt) => region.db.writes.transaction((run) => attempt({ run })),
    work,
  );
}
