import { Prisma } from '../../db/generated/client.ts';
import type { RequestContext } from '../context/request-context.ts';
import type { Connection } from '../input/connection.ts';
import type { PageArguments } from '../input/parse-page.ts';
import { regionOf } from '../input/region-of.ts';
import type { Secret } from '../rows/secret-types.ts';
import { listSecrets } from './list-secrets.ts';

/** The secrets that wait in their recovery window, the latest deleted first. */
export function deletedSecrets(
  ctx: RequestContext,
  args: PageArguments & { readonly region?: string | null },
): Promise<Connection<Secret>> {
  const region = regionOf(ctx, args.region, ['region']);
  const among = Prisma.sql`s.deleted_at IS NOT NULL`;
  const conditions = [Prisma.sql`s.purge_at > ${ctx.now()}`];
  const order = { field: 'DELETED_AT', direction: 'DESC' } as const;
  return listSecrets(ctx, region, { among, conditions, order }, args);
}
