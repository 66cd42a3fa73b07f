import type { SecretRow } from '../../db/secret-row.ts';
import type { Transaction } from '../../db/transaction.ts';
import { NotFoundError } from '../../errors.ts';
import { parseSecretPath } from '../../policy/secret-path.ts';
import type { RequestContext } from '../context/request-context.ts';
import { parseVersionNumber } from '../input/parse-version-number.ts';
import { regionOf } from '../input/region-of.ts';
import { EventDraft } from '../operation/event-draft.ts';
import { forgetResults } from '../operation/idempotency.ts';
import { operate } from '../operation/operate.ts';
import { forgetDataKeys } from '../rows/forget-data-keys.ts';
import { lockLiveSecret } from '../rows/lock-live-secret.ts';
import { type SecretVersionPayload, secretVersionPayload } from '../rows/secret-types.ts';
import { findVersion } from '../rows/versions.ts';

export interface DestroySecretVersionInput {
  readonly path: string;
  readonly region?: string | null;
  readonly version: number;
}

/** Destroys a version's value at once and for good; its row stays. Destroying it again answers the same. */
export async function destroySecretVersion(
  ctx: RequestContext,
  input: DestroySecretVersionInput,
): Promise<SecretVersionPayload> {
  const region = regionOf(ctx, input.region, ['input', 'region']);
  const path = parseSecretPath(input.path, ['input', 'path']);
  const number = parseVersionNumber(input.version, ['input', 'version']);
  const draft = () => new EventDraft('secret.destroyVersion', 'secret', path);
  return operate(ctx, region, draft, async (operation) => {
    const { tx, event, at } = operation;
    event.version = number;
    const secret = await lockLiveSecret(operation, 'SECRET_DELETE', path);
    const version = await findVersion(operation.run, secret, number);
    if (!version) throw new NotFoundError('version');
    if (version.status === 'DESTROYED') {
      event.details['repeated'] = 'true';
      return secretVersionPayload(operation, region, secret, version);
    }
    const { organisation, id } = secret;
    const destroyed = await tx.secretVersion.update({
      where: { organisation_secretId_number: { organisation, secretId: id, number } },
      data: {
        status: 'DESTROYED',
        wrappedDataKey: null,
        ciphertext: null,
        destroyedAt: at,
        destroyedBySubject: ctx.principal.subject,
        destroyedByIssuer: ctx.principal.issuer,
      },
    });
    await forgetResults(operation, id, number);
    await forgetDataKeys(operation, secret);
    const state = { currentVersion: await highestActive(tx, secret), updatedAt: at };
    await tx.secret.update({ where: { organisation_id: { organisation, id } }, data: state });
    return secretVersionPayload(operation, region, { ...secret, ...state }, destroyed);
  });
}

async function highestActive(tx: Transaction, { organisation, id }: SecretRow): Promise<number | null> {
  const active = await tx.secretVersion.aggregate({
    where: { organisation, secretId: id, status: 'ACTIVE' },
    _max: { number: true },
  });
  return active._max.number;
}
