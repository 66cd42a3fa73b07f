import { type AuditEvent, isSecretChange } from '../../audit/event.ts';
import { type Notice, noticeOf } from '../../db/notifications.ts';

/**
 * What wakes the followers of an organisation on every gateway once these events have committed: once for all of them,
 * and null where they are reads and refusals only. Whoever records changes of secrets gives it.
 */
export function noticeOfChanges(organisation: string, events: readonly AuditEvent[]): Notice | null {
  return events.some(isSecretChange) ? noticeOf('secret-events', organisation) : null;
}
