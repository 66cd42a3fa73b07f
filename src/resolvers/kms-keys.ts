import { listFilter } from '../policy/list-filter.ts';
import { factsOf } from './authorise.ts';
import { type Connection, connectionOf, emptyConnection } from './connection.ts';
import { type PageArguments, parsePage } from './input/parse-page.ts';
import { regionOf } from './input/region-of.ts';
import type { RequestContext } from './request-context.ts';
import type { KmsKey } from './secret-types.ts';

/** The KMS keys of the caller's scope that it may find, by identity. */
export async function kmsKeys(
  ctx: RequestContext,
  args: PageArguments & { readonly region?: string | null },
): Promise<Connection<KmsKey>> {
  const region = regionOf(ctx, args.region, ['region']);
  const list = 'kms-keys';
  const page = parsePage(args, list, isIdentity);
  const filter = listFilter(
    ctx.principal,
    ['KMS_KEY_LIST', 'KMS_KEY_READ'],
    'kms-key',
    await factsOf(ctx, region),
  );
  if (filter === 'NONE') return emptyConnection();
  const { organisation, project } = ctx.principal;
  const above = page.after ? { gt: String(page.after[0]) } : {};
  const below = page.before ? { lt: String(page.before[0]) } : {};
  const rows = await region.db.client.kmsKey.findMany({
    where: { organisation, project, identity: { ...above, ...below } },
    orderBy: { identity: page.backward ? 'desc' : 'asc' },
    take: page.limit + 1,
  });
  const keys = rows.map((row) => ({ ...row, region }));
  return connectionOf(page, list, keys, ({ identity }) => [identity]);
}

function isIdentity(parts: readonly unknown[]): boolean {
  return parts.length === 1 && typeof parts[0] === 'string' && /^kms-[a-z0-9]{1,64}$/.test(parts[0]);
}
