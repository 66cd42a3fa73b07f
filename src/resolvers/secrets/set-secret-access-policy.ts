import { Prisma } from '../../db/generated/client.ts';
import { InvalidInputError } from '../../errors.ts';
import { type AccessPolicyInput, parseAccessPolicy } from '../../policy/conditions/access-policy.ts';
import { parseSecretPath } from '../../policy/secret-path.ts';
import type { RequestContext } from '../context/request-context.ts';
import { parseExpected } from '../input/parse-version-number.ts';
import { regionOf } from '../input/region-of.ts';
import { EventDraft } from '../operation/event-draft.ts';
import { operate } from '../operation/operate.ts';
import { lockLiveSecret } from '../rows/lock-live-secret.ts';
import { type SecretPayload, secretPayload } from '../rows/secret-types.ts';
import { requireObjectVersion } from './update-secret.ts';

export interface SetSecretAccessPolicyInput {
  readonly path: string;
  readonly region?: string | null;
  readonly accessPolicy?: AccessPolicyInput | null;
  readonly expectedObjectVersion?: number | null;
}

/** Sets or, with null, clears the conditions under which a secret's values may be read, put and rolled back. */
export async function setSecretAccessPolicy(
  ctx: RequestContext,
  input: SetSecretAccessPolicyInput,
): Promise<SecretPayload> {
  const region = regionOf(ctx, input.region, ['input', 'region']);
  const path = parseSecretPath(input.path, ['input', 'path']);
  const expected = parseExpected(input.expectedObjectVersion, ['input', 'expectedObjectVersion']);
  const field = ['input', 'accessPolicy'];
  if (input.accessPolicy === undefined)
    throw new InvalidInputError(field, 'Give a policy, or null to clear it.');
  const accessPolicy = input.accessPolicy && parseAccessPolicy(input.accessPolicy, field);
  const draft = () => new EventDraft('secret.setAccessPolicy', 'secret', path);
  return operate(ctx, region, draft, async (operation) => {
    const { tx, event, at } = operation;
    const secret = await lockLiveSecret(operation, 'SECRET_UPDATE', path);
    requireObjectVersion(secret, expected);
    event.details['cleared'] = String(accessPolicy === null);
    const state = { objectVersion: secret.objectVersion + 1, updatedAt: at };
    await tx.secret.update({
      where: { organisation_id: { organisation: secret.organisation, id: secret.id } },
      data: { ...state, accessPolicy: (accessPolicy as Prisma.InputJsonObject | null) ?? Prisma.DbNull },
    });
    return secretPayload(operation, region, { ...secret, ...state, accessPolicy });
  });
}
