import { Prisma } from '../db/generated/client.ts';
import type { Connection } from './connection.ts';
import type { PageArguments } from './input/parse-page.ts';
import { regionOf } from './input/region-of.ts';
import { listSecrets } from './list-secrets.ts';
import type { RequestContext } from './request-context.ts';
import type { Secret } from './secret-types.ts';

/** The secrets that wait in their recovery window, the latest deleted first. */
export function deletedSecrets(
  ctx: RequestContext,
  args: PageArguments & { readonly region?: string | null },
): Promise<Connection<Secret>> {
  const region = regionOf(ctx, args.region, ['region']);
  const among = Prisma.sql`s.deleted_at IS NOT NULL AND s.purge_at > ${ctx.now()}`;
  return listSecrets(ctx, region, { among, order: { field: 'DELETED_AT', direction: 'DESC' } }, args);
}
