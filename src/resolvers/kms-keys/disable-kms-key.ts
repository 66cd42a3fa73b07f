import type { RequestContext } from '../context/request-context.ts';
import { changeKmsKey, type KmsKeyPayload, type KmsKeyReference } from './change-kms-key.ts';
import { requireNotScheduled } from './schedule-kms-key-deletion.ts';

/** Keeps a key from sealing and opening anything until it is enabled again; a disabled one stays as it is. */
export function disableKmsKey(ctx: RequestContext, input: KmsKeyReference): Promise<KmsKeyPayload> {
  return changeKmsKey(ctx, input, 'kms.disableKey', 'KMS_KEY_UPDATE', (_, key) => {
    requireNotScheduled(key);
    return Promise.resolve(key.status === 'DISABLED' ? null : { status: 'DISABLED' });
  });
}
