import { InvalidInputError } from '../../errors.ts';
import type { RequestContext } from '../context/request-context.ts';
import { changeKmsKey, type KmsKeyPayload, type KmsKeyReference } from './change-kms-key.ts';
import { nextRotation, parseRotationPeriod } from './rotation-period.ts';

export interface SetKmsKeyRotationInput extends KmsKeyReference {
  readonly rotationPeriodDays?: number | null;
}

/** Has a key rotated every so many days, counted from now; null turns that off. */
export async function setKmsKeyRotation(
  ctx: RequestContext,
  input: SetKmsKeyRotationInput,
): Promise<KmsKeyPayload> {
  const field = ['input', 'rotationPeriodDays'];
  if (input.rotationPeriodDays === undefined) {
    throw new InvalidInputError(field, 'Give 1 to 3650 days, or null to turn the rotation off.');
  }
  const rotationPeriodDays = parseRotationPeriod(input.rotationPeriodDays, field);
  return changeKmsKey(ctx, input, 'kms.setRotation', 'KMS_KEY_UPDATE', ({ at, event }) => {
    event.details['rotationPeriodDays'] = String(rotationPeriodDays ?? 'off');
    return Promise.resolve({ rotationPeriodDays, nextRotationAt: nextRotation(rotationPeriodDays, at) });
  });
}
