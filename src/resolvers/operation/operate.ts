import { runIn } from '../../db/statements.ts';
import type { Region, RequestContext } from '../context/request-context.ts';
import type { EventDraft } from './event-draft.ts';
import type { Operation } from './operation.ts';
import { transact } from './transact.ts';

/** Runs an operation in one transaction with its audit event, with Prisma's client at hand: see `transact`. */
export function operate<T>(
  ctx: RequestContext,
  region: Region,
  draft: () => EventDraft,
  work: (operation: Operation) => Promise<T>,
): Promise<T> {
  return transact<Pick<Operation, 'tx' | 'run'>, T>(
    { ctx, region, draft },
    (attempt) => region.db.transaction((tx) => attempt({ tx, run: runIn(tx) })),
    work,
  );
}
