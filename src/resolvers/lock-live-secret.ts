import { lockSecretByKey, type SecretRow } from '../db/secret-row.ts';
import { NotFoundError } from '../errors.ts';
import { pathKey } from '../policy/secret-path.ts';
import type { Operation } from './operate.ts';

/** The live secret at a path, locked against every other change. Throws `NotFoundError`. */
export async function lockLiveSecret({ ctx, tx, event }: Operation, path: string): Promise<SecretRow> {
  const secret = await lockSecretByKey(tx, ctx.principal, pathKey(path));
  if (!secret) throw new NotFoundError('secret');
  event.resourceId = secret.id;
  return secret;
}
