import { NotFoundError, VersionDestroyedError } from '../../errors.ts';
import { parseSecretPath } from '../../policy/secret-path.ts';
import type { RequestContext } from '../context/request-context.ts';
import { parseIdempotencyKey } from '../input/parse-idempotency-key.ts';
import { parseExpected, parseVersionNumber } from '../input/parse-version-number.ts';
import { regionOf } from '../input/region-of.ts';
import { requireAccessPolicy, requireKeyUse } from '../operation/authorise.ts';
import { EventDraft } from '../operation/event-draft.ts';
import { claimIdempotencyKey } from '../operation/idempotency.ts';
import { operateByStatements } from '../operation/operate-by-statements.ts';
import { lockLiveSecret } from '../rows/lock-live-secret.ts';
import { replayed } from '../rows/replayed.ts';
import type { SecretVersionPayload } from '../rows/secret-types.ts';
import { keyOfSecret, usableKey } from '../rows/usable-key.ts';
import { findVersion, openVersion } from '../rows/versions.ts';
import { appendVersion } from './append-version.ts';

export interface RollbackSecretInput {
  readonly path: string;
  readonly region?: string | null;
  readonly toVersion: number;
  readonly expectedVersion?: number | null;
  readonly idempotencyKey?: string | null;
}

/** Writes an old version's content as the next version; it never leaves the service, and counts as no read. */
export async function rollbackSecret(
  ctx: RequestContext,
  input: RollbackSecretInput,
): Promise<SecretVersionPayload> {
  const region = regionOf(ctx, input.region, ['input', 'region']);
  const path = parseSecretPath(input.path, ['input', 'path']);
  const toVersion = parseVersionNumber(input.toVersion, ['input', 'toVersion']);
  const expectedVersion = parseExpected(input.expectedVersion, ['input', 'expectedVersion']);
  const idempotencyKey = parseIdempotencyKey(input.idempotencyKey, ['input', 'idempotencyKey']);
  const draft = () => new EventDraft('secret.rollback', 'secret', path);
  return operateByStatements(ctx, region, draft, async (operation) => {
    const { run, event } = operation;
    const secret = await lockLiveSecret(operation, 'SECRET_PUT_VALUE', path);
    requireKeyUse(operation, secret);
    requireAccessPolicy(operation, 'SECRET_PUT_VALUE', secret);
    event.details['toVersion'] = String(toVersion);
    const first = await claimIdempotencyKey(operation, idempotencyKey, input, secret.id);
    if (first) return replayed(operation, first);
    const old = await findVersion(run, secret, toVersion);
    if (!old) throw new NotFoundError('version');
    if (old.status === 'DESTROYED') throw new VersionDestroyedError(toVersion);
    return appendVersion(operation, secret, { expectedVersion, idempotencyKey }, async () => {
      const oldKey = await usableKey(operation, keyOfSecret(secret), old.kmsKeyVersion);
      const content = await openVersion(operation, secret, old, oldKey);
      if (!content) throw new NotFoundError('version');
      return content;
    });
  });
}
