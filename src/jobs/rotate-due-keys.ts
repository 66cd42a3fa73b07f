import { UserError } from '../errors.ts';
import type { Region } from '../resolvers/context/request-context.ts';
import { systemContext } from '../resolvers/context/system-context.ts';
import { applyChange, lockKmsKeyForChange } from '../resolvers/kms-keys/change-kms-key.ts';
import { addGeneration } from '../resolvers/kms-keys/rotate-kms-key.ts';
import { EventDraft } from '../resolvers/operation/event-draft.ts';
import { operate } from '../resolvers/operation/operate.ts';
import type { KmsKey } from '../resolvers/rows/usable-key.ts';
import { eachDespiteFailures } from './each-despite-failures.ts';
import { NothingDue, unlessDone } from './nothing-due.ts';

const RETRY_MS = 60 * 60 * 1000;

/**
 * Rotates every ACTIVE key whose time has come, once, however many periods have passed. A key whose provider fails is
 * tried again an hour later; a disabled one when it is enabled.
 */
export async function rotateDueKeys(region: Region, now: () => Date): Promise<void> {
  const due = await region.db.client.kmsKey.findMany({
    where: { status: 'ACTIVE', nextRotationAt: { lte: now() } },
    orderBy: [{ organisation: 'asc' }, { identity: 'asc' }],
  });
  await eachDespiteFailures(due, async (key) => {
    try {
      await unlessDone(rotate(region, key, now));
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      await postpone(region, key, now());
    }
  });
}

async function rotate(region: Region, { identity, ...scope }: KmsKey, now: () => Date): Promise<void> {
  const ctx = systemContext(region, scope, 'key-rotation', now);
  const draft = () => new EventDraft('kms.rotateKey', 'kms-key', identity);
  await operate(ctx, region, draft, async (operation) => {
    const key = await lockKmsKeyForChange(operation, identity);
    const isDue = key?.status === 'ACTIVE' && key.nextRotationAt && key.nextRotationAt <= operation.at;
    if (!key || !isDue) throw new NothingDue();
    await applyChange(operation, key, await addGeneration(operation, key));
  });
}

async function postpone(region: Region, key: KmsKey, at: Date): Promise<void> {
  const { organisation, identity, nextRotationAt } = key;
  await region.db.client.kmsKey.updateMany({
    where: { organisation, identity, nextRotationAt },
    data: { nextRotationAt: new Date(at.getTime() + RETRY_MS) },
  });
}
