import { KeyInUseError, KeyUnavailableError } from '../../errors.ts';
import type { RequestContext } from '../context/request-context.ts';
import { DAY_MS } from '../operation/day.ts';
import type { KmsKey } from '../rows/usable-key.ts';
import { changeKmsKey, type KmsKeyPayload, type KmsKeyReference } from './change-kms-key.ts';

const WAITING_DAYS = 30;

/**
 * Schedules a key's deletion in 30 days; until then it can be cancelled, and the key opens and seals nothing. Refused
 * while secrets depend on it, those in their recovery window too. A key already scheduled stays as it is.
 */
export function scheduleKmsKeyDeletion(ctx: RequestContext, input: KmsKeyReference): Promise<KmsKeyPayload> {
  return changeKmsKey(ctx, input, 'kms.scheduleDeletion', 'KMS_KEY_DELETE', async ({ tx, at }, key) => {
    if (key.status === 'PENDING_DELETION') return null;
    const { organisation, identity: kmsKeyIdentity } = key;
    const secretCount = await tx.secret.count({
      where: { organisation, kmsKeyIdentity, OR: [{ purgeAt: null }, { purgeAt: { gt: at } }] },
    });
    if (secretCount > 0) throw new KeyInUseError(kmsKeyIdentity, secretCount);
    return {
      status: 'PENDING_DELETION',
      statusBeforeDeletion: key.status,
      deletionScheduledAt: new Date(at.getTime() + WAITING_DAYS * DAY_MS),
    };
  });
}

/** Throws `KeyUnavailableError`: nothing but cancelling can be done to a key that waits for its deletion. */
export function requireNotScheduled(key: KmsKey): void {
  if (key.status !== 'PENDING_DELETION') return;
  throw new KeyUnavailableError(
    key.identity,
    'The deletion of this KMS key is scheduled: cancel that first.',
  );
}
