import type { RequestContext } from '../context/request-context.ts';
import { changeKmsKey, type KmsKeyPayload, type KmsKeyReference } from './change-kms-key.ts';
import { requireNotScheduled } from './schedule-kms-key-deletion.ts';

/** Lets a disabled key be used again; an active one stays as it is. */
export function enableKmsKey(ctx: RequestContext, input: KmsKeyReference): Promise<KmsKeyPayload> {
  return changeKmsKey(ctx, input, 'kms.enableKey', 'KMS_KEY_UPDATE', (_, key) => {
    requireNotScheduled(key);
    return Promise.resolve(key.status === 'ACTIVE' ? null : { status: 'ACTIVE' });
  });
}
