import { lockExpiredSecret, type Scope } from '../db/secret-row.ts';
import type { Region } from '../resolvers/context/request-context.ts';
import { systemContext } from '../resolvers/context/system-context.ts';
import { EventDraft } from '../resolvers/operation/event-draft.ts';
import { operate } from '../resolvers/operation/operate.ts';
import { purge } from '../resolvers/secrets/purge-secret.ts';
import { eachDespiteFailures } from './each-despite-failures.ts';
import { NothingDue, unlessDone } from './nothing-due.ts';

const BATCH = 100;

/** Removes every secret whose recovery window is over, with all its versions. */
export async function purgeExpiredSecrets(region: Region, now: () => Date): Promise<void> {
  for (;;) {
    const expired = await region.db.client.secret.findMany({
      where: { purgeAt: { lte: now() } },
      orderBy: { purgeAt: 'asc' },
      take: BATCH,
      select: { organisation: true, project: true, id: true },
    });
    await eachDespiteFailures(expired, async ({ id, ...scope }) => {
      await unlessDone(purgeExpired(region, scope, id, now));
    });
    if (expired.length < BATCH) return;
  }
}

async function purgeExpired(region: Region, scope: Scope, id: string, now: () => Date): Promise<void> {
  const ctx = systemContext(region, scope, 'recovery-window', now);
  const draft = () => new EventDraft('secret.purge', 'secret');
  await operate(ctx, region, draft, async (operation) => {
    const { tx, event, at } = operation;
    const secret = await lockExpiredSecret(tx, scope, id, at);
    if (!secret) throw new NothingDue();
    event.resource = secret.path;
    event.resourceId = id;
    await purge(operation, secret);
  });
}
