import { notify } from '../db/notifications.ts';
import { ownerOf } from '../kms/keys/key-cache.ts';
import type { Region } from '../resolvers/context/request-context.ts';
import { systemContext } from '../resolvers/context/system-context.ts';
import { lockKmsKeyForChange } from '../resolvers/kms-keys/change-kms-key.ts';
import { EventDraft } from '../resolvers/operation/event-draft.ts';
import { forgetResults } from '../resolvers/operation/idempotency.ts';
import { operate } from '../resolvers/operation/operate.ts';
import type { KmsKey } from '../resolvers/rows/usable-key.ts';
import { eachDespiteFailures } from './each-despite-failures.ts';
import { NothingDue, unlessDone } from './nothing-due.ts';

/**
 * Deletes every key whose 30 days are over, with its material: what it wrapped opens never again, in backups neither.
 * Keys that live outside are let go of; destroying them there is their operator's. A key on which a secret still
 * depends (one past its recovery window that has not been removed yet) waits for the next run.
 */
export async function destroyScheduledKeys(region: Region, now: () => Date): Promise<void> {
  const due = await region.db.client.kmsKey.findMany({
    where: { status: 'PENDING_DELETION', deletionScheduledAt: { lte: now() } },
    orderBy: [{ organisation: 'asc' }, { identity: 'asc' }],
  });
  await eachDespiteFailures(due, async (key) => {
    await unlessDone(destroy(region, key, now));
    region.keyCache.forget(ownerOf(key));
  });
}

async function destroy(region: Region, { identity, ...scope }: KmsKey, now: () => Date): Promise<void> {
  const ctx = systemContext(region, scope, 'key-deletion', now);
  const draft = () => new EventDraft('kms.destroyKey', 'kms-key', identity);
  await operate(ctx, region, draft, async (operation) => {
    const { tx, at, event } = operation;
    const key = await lockKmsKeyForChange(operation, identity);
    const isDue =
      key?.status === 'PENDING_DELETION' && key.deletionScheduledAt && key.deletionScheduledAt <= at;
    if (!key || !isDue) throw new NothingDue();
    const { organisation } = key;
    if ((await tx.secret.count({ where: { organisation, kmsKeyIdentity: identity } })) > 0)
      throw new NothingDue();
    const { count } = await tx.kmsKeyVersion.deleteMany({
      where: { organisation, kmsKeyIdentity: identity },
    });
    await tx.kmsKey.delete({ where: { organisation_identity: { organisation, identity } } });
    await forgetResults(operation, identity);
    await notify(tx, 'kms-key', ownerOf(key));
    event.details['versions'] = String(count);
  });
}
