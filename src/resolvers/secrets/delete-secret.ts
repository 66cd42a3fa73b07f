import { InvalidInputError } from '../../errors.ts';
import { parseSecretPath } from '../../policy/secret-path.ts';
import type { RequestContext } from '../context/request-context.ts';
import { regionOf } from '../input/region-of.ts';
import { requireOnSecret } from '../operation/authorise.ts';
import { DAY_MS } from '../operation/day.ts';
import { EventDraft } from '../operation/event-draft.ts';
import { operate } from '../operation/operate.ts';
import { lockLiveSecret } from '../rows/lock-live-secret.ts';
import { type SecretPayload, secretPayload } from '../rows/secret-types.ts';
import { type PurgeSecretPayload, purge } from './purge-secret.ts';

export interface DeleteSecretInput {
  readonly path: string;
  readonly region?: string | null;
  readonly recoveryWindowDays: number;
}

const MAX_RECOVERY_WINDOW_DAYS = 90;

/** Frees the path and keeps the secret for its recovery window; a window of 0 purges it now, which is a right of its own. */
export async function deleteSecret(
  ctx: RequestContext,
  input: DeleteSecretInput,
): Promise<SecretPayload | PurgeSecretPayload> {
  const region = regionOf(ctx, input.region, ['input', 'region']);
  const path = parseSecretPath(input.path, ['input', 'path']);
  const days = input.recoveryWindowDays;
  if (days < 0 || days > MAX_RECOVERY_WINDOW_DAYS) {
    const rule = `A recovery window has 0 to ${MAX_RECOVERY_WINDOW_DAYS} days.`;
    throw new InvalidInputError(['input', 'recoveryWindowDays'], rule);
  }
  const draft = () => new EventDraft(days === 0 ? 'secret.purge' : 'secret.delete', 'secret', path);
  return operate(ctx, region, draft, async (operation) => {
    const { tx, event, at } = operation;
    const secret = await lockLiveSecret(operation, 'SECRET_DELETE', path);
    event.details['recoveryWindowDays'] = String(days);
    if (days === 0) {
      requireOnSecret(operation, 'SECRET_PURGE', path);
      return purge(operation, secret);
    }
    const state = {
      deletedAt: at,
      purgeAt: new Date(at.getTime() + days * DAY_MS),
      objectVersion: secret.objectVersion + 1,
      updatedAt: at,
    };
    await tx.secret.update({
      where: { organisation_id: { organisation: secret.organisation, id: secret.id } },
      data: state,
    });
    return secretPayload(operation, region, { ...secret, ...state });
  });
}
