import type { RequestContext } from '../context/request-context.ts';
import { changeKmsKey, type KmsKeyPayload, type KmsKeyReference } from './change-kms-key.ts';

/** Takes a scheduled deletion back: the key is again what it was before. A key that is not scheduled stays as it is. */
export function cancelKmsKeyDeletion(ctx: RequestContext, input: KmsKeyReference): Promise<KmsKeyPayload> {
  return changeKmsKey(ctx, input, 'kms.cancelDeletion', 'KMS_KEY_UPDATE', (_, key) =>
    Promise.resolve(
      key.status === 'PENDING_DELETION'
        ? {
            status: key.statusBeforeDeletion ?? 'DISABLED',
            statusBeforeDeletion: null,
            deletionScheduledAt: null,
          }
        : null,
    ),
  );
}
