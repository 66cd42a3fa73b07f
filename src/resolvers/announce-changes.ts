import type { AuditEvent } from '../audit/event.ts';
import type { Transaction } from '../db/database.ts';
import { notify } from '../db/notifications.ts';
import { isChange } from './secret-change.ts';

/**
 * Wakes the followers of an organisation on every gateway once the transaction has committed: once for all its events,
 * and never for a read or a refusal. Whoever records changes of secrets calls it after.
 */
export async function announceChanges(
  tx: Transaction,
  organisation: string,
  events: readonly AuditEvent[],
): Promise<void> {
  if (events.some(isChange)) await notify(tx, 'secret-events', organisation);
}
