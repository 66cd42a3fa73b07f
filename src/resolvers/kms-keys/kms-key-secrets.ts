import { Prisma } from '../../db/generated/client.ts';
import type { RequestContext } from '../context/request-context.ts';
import type { Connection } from '../input/connection.ts';
import type { PageArguments } from '../input/parse-page.ts';
import type { KmsKey, Secret } from '../rows/secret-types.ts';
import { listSecrets } from '../secrets/list-secrets.ts';

/** KmsKey.secrets: what still depends on the key, secrets in their recovery window included, by path. */
export function kmsKeySecrets(
  ctx: RequestContext,
  kmsKey: KmsKey,
  args: PageArguments,
): Promise<Connection<Secret>> {
  const among = Prisma.sql`
    s.kms_key_identity = ${kmsKey.identity} AND (s.purge_at IS NULL OR s.purge_at > ${ctx.now()})`;
  return listSecrets(ctx, kmsKey.region, { among, order: { field: 'PATH', direction: 'ASC' } }, args);
}
