import { selectFromRanges } from '../db/path-filter-walk.ts';
import { Prisma } from '../db/generated/client.ts';
import { inScope } from '../db/secret-row.ts';
import type { Folder } from './folder.ts';
import type { Region, RequestContext } from './request-context.ts';
import { visibleSecrets } from './visible-secrets.ts';

/** The folder, if it is the root or holds something that the caller may find. */
export async function findFolder(ctx: RequestContext, region: Region, path: string): Promise<Folder | null> {
  const folder = { region, path };
  if (path === '/') return folder;
  const filter = await visibleSecrets(ctx, region, path);
  if (filter.length === 0) return null;
  const where = Prisma.sql`${inScope(ctx.principal)} AND s.deleted_at IS NULL`;
  const held = await region.db.client.$queryRaw<object[]>`
    ${selectFromRanges({ filter, where }, Prisma.sql`1`)} LIMIT 1`;
  return held.length > 0 ? folder : null;
}
