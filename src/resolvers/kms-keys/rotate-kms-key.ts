import type { RequestContext } from '../context/request-context.ts';
import type { Operation } from '../operation/operation.ts';
import { type KmsKey, usableKey, useKey } from '../rows/usable-key.ts';
import {
  changeKmsKey,
  type KmsKeyChange,
  type KmsKeyPayload,
  type KmsKeyReference,
} from './change-kms-key.ts';
import { writeGeneration } from './key-generation.ts';
import { nextRotation } from './rotation-period.ts';

/** Adds a version to a key: new values are sealed under it, older versions keep opening what they sealed. */
export function rotateKmsKey(ctx: RequestContext, input: KmsKeyReference): Promise<KmsKeyPayload> {
  return changeKmsKey(ctx, input, 'kms.rotateKey', 'KMS_KEY_UPDATE', addGeneration);
}

/** The rotation itself, of a locked key. Throws `KeyUnavailableError`. */
export async function addGeneration(operation: Operation, key: KmsKey): Promise<KmsKeyChange> {
  const { bound, generation } = await usableKey(operation, key);
  const next = await useKey(key.identity, () => bound.provider.rotate(bound.reference, generation));
  await writeGeneration(operation, key, next);
  operation.event.version = next.number;
  return { latestVersion: next.number, nextRotationAt: nextRotation(key.rotationPeriodDays, operation.at) };
}
