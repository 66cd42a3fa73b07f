import { Prisma } from '../../db/generated/client.ts';
import { isVisible } from '../../db/path-filter.ts';
import { listFilter } from '../../policy/list-filter.ts';
import type { RequestContext } from '../context/request-context.ts';
import { type Connection, connectionOf, emptyConnection } from '../input/connection.ts';
import { type PageArguments, parsePage } from '../input/parse-page.ts';
import { regionOf } from '../input/region-of.ts';
import { factsOf } from '../operation/authorise.ts';
import type { KmsKey } from '../rows/secret-types.ts';

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
  if (filter.length === 0) return emptyConnection();
  const { client } = region.db;
  const { organisation, project } = ctx.principal;
  const after = page.after ? Prisma.sql`AND k.identity > ${page.after[0]}` : Prisma.empty;
  const before = page.before ? Prisma.sql`AND k.identity < ${page.before[0]}` : Prisma.empty;
  const direction = page.backward ? Prisma.sql`DESC` : Prisma.sql`ASC`;
  const found = await client.$queryRaw<{ identity: string }[]>`
    SELECT k.identity FROM kms_key k
    WHERE k.organisation = ${organisation} AND k.project = ${project} ${after} ${before}
      AND ${isVisible(Prisma.sql`k.identity COLLATE "C"`, filter)}
    ORDER BY k.identity ${direction} LIMIT ${page.limit + 1}`;
  const rows = await client.kmsKey.findMany({
    where: { organisation, project, identity: { in: found.map(({ identity }) => identity) } },
    orderBy: { identity: page.backward ? 'desc' : 'asc' },
  });
  const keys = rows.map((row) => ({ ...row, region }));
  return connectionOf(page, list, keys, ({ identity }) => [identity]);
}

function isIdentity(parts: readonly unknown[]): boolean {
  return parts.length === 1 && typeof parts[0] === 'string' && /^kms-[a-z0-9]{1,64}$/.test(parts[0]);
}
