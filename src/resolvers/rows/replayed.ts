import { findSecretById } from '../../db/secret-row.ts';
import { NotFoundError } from '../../errors.ts';
import type { FirstResult } from '../operation/idempotency.ts';
import type { StatementOperation } from '../operation/operation.ts';
import { type SecretVersionPayload, secretVersionPayload } from './secret-types.ts';
import { findVersion } from './versions.ts';

/** What the first call with an idempotency key made, as it stands now. */
export async function replayed(
  operation: StatementOperation,
  first: FirstResult,
): Promise<SecretVersionPayload> {
  const { ctx, region, run, event, at } = operation;
  const secret = await findSecretById(run, ctx.principal, first.resourceId);
  const version = secret && first.version !== null && (await findVersion(run, secret, first.version));
  if (!version || (secret.purgeAt && secret.purgeAt <= at)) throw new NotFoundError('secret');
  event.resourceId = secret.id;
  event.version = version.number;
  return secretVersionPayload(operation, region, secret, version);
}
