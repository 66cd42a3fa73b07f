import { selectFromRanges } from '../../db/path-filter-walk.ts';
import { Prisma } from '../../db/generated/client.ts';
import { inScope } from '../../db/secret-row.ts';
import type { Folder } from './folder.ts';
import { narrowFilter } from './narrow-filter.ts';
import type { Region, RequestContext } from '../context/request-context.ts';
import { visibleSecrets } from './visible-secrets.ts';

/** The folder, if it is the root or holds something that the caller may find. */
export async function findFolder(ctx: RequestContext, region: Region, path: string): Promise<Folder | null> {
  const folder = { region, path };
  if (path === '/') return folder;
  const filter = await visibleSecrets(ctx, region, path);
  if (filter.length === 0) return null;
  const where = Prisma.sql`${inScope(ctx.principal)} AND s.deleted_at IS NULL`;
  const { client } = region.db;
  const near = await narrowFilter(client, where, filter);
  const held = await client.$queryRaw<object[]>`
    ${selectFromRanges({ filter: near, where }, Prisma.sql`1`)} LIMIT 1`;
  return held.length > 0 ? folder : null;
}
