import { findSecretsByKey, lockSecretByKey, type SecretRow } from '../../db/secret-row.ts';
import { NotFoundError } from '../../errors.ts';
import type { Permission } from '../../policy/permission.ts';
import { pathKey } from '../../policy/secret-path.ts';
import { requireOnSecret } from '../operation/authorise.ts';
import type { StatementOperation } from '../operation/operation.ts';

/**
 * The live secret at a path, locked against every other change, for a caller with the right on it. Throws `NotFoundError`
 * or the refusal. Who is refused has waited for no lock and takes none: the wait would tell that there is something.
 */
export async function lockLiveSecret(
  operation: StatementOperation,
  permission: Permission,
  path: string,
): Promise<SecretRow> {
  const { ctx, run, event } = operation;
  const [seen] = await findSecretsByKey(run, ctx.principal, [pathKey(path)]);
  if (!seen) throw new NotFoundError('secret');
  event.resourceId = seen.id;
  requireOnSecret(operation, permission, path);
  // Whoever changed it meanwhile has been waited for: what was seen counts no more.
  const secret = await lockSecretByKey(run, ctx.principal, pathKey(path));
  if (!secret) throw new NotFoundError('secret');
  event.resourceId = secret.id;
  return secret;
}
