import { Prisma } from '../../db/generated/client.ts';
import { selectFromRanges } from '../../db/path-filter-walk.ts';
import { inScope } from '../../db/secret-row.ts';
import type { Region, RequestContext } from '../context/request-context.ts';
import { narrowFilter } from './narrow-filter.ts';
import { visibleSecrets } from './visible-secrets.ts';

/** A folder of the path tree: it exists while it holds something that the caller may find. */
export interface Folder {
  readonly region: Region;
  readonly path: string;
}

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
