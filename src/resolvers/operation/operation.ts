import type { Run } from '../../db/statements.ts';
import type { Transaction } from '../../db/transaction.ts';
import type { KeySession } from '../../kms/keys/key-session.ts';
import type { Facts } from '../../policy/facts.ts';
import type { Region, RequestContext } from '../context/request-context.ts';
import type { EventDraft } from './event-draft.ts';

/** What every operation works with while its transaction is open. */
export interface StatementOperation {
  readonly ctx: RequestContext;
  readonly region: Region;
  /** Runs statements in the transaction. */
  readonly run: Run;
  readonly event: EventDraft;
  readonly keys: KeySession;
  /** What all its decisions rest on. */
  readonly facts: Facts;
  /** The time of everything that the operation writes. */
  readonly at: Date;
}

/** The same with Prisma's client in the transaction. */
export interface Operation extends StatementOperation {
  readonly tx: Transaction;
}
