import type { Task } from '../db/job-queue.ts';
import type { Region } from '../resolvers/context/request-context.ts';
import { destroyScheduledKeys } from './destroy-scheduled-keys.ts';
import { expireAuditEvents } from './expire-audit-events.ts';
import { forgetExpiredResults } from './forget-expired-results.ts';
import { purgeExpiredSecrets } from './purge-expired-secrets.ts';
import { rotateDueKeys } from './rotate-due-keys.ts';
import { signCheckpoints } from './sign-checkpoints.ts';

/** All background work of a region. */
export function tasksOf(region: Region, now: () => Date, auditRetentionDays: number | null): readonly Task[] {
  return [
    { name: 'rotate-due-keys', run: () => rotateDueKeys(region, now) },
    { name: 'purge-expired-secrets', run: () => purgeExpiredSecrets(region, now) },
    { name: 'destroy-scheduled-keys', run: () => destroyScheduledKeys(region, now) },
    { name: 'forget-expired-results', run: () => forgetExpiredResults(region, now) },
    { name: 'sign-checkpoints', run: () => signCheckpoints([region], now()) },
    {
      name: 'expire-audit-events',
      run: async () => {
        if (auditRetentionDays !== null) await expireAuditEvents([region], now(), auditRetentionDays);
      },
    },
  ];
}
