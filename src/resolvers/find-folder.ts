import { inScope } from '../db/secret-row.ts';
import { listFilter } from '../policy/list-filter.ts';
import { factsOf } from './authorise.ts';
import { afterFolder, folderKeyPrefix } from '../policy/secret-path.ts';
import type { Folder } from './folder.ts';
import type { Region, RequestContext } from './request-context.ts';

/** The folder, if it is the root or holds something that the caller may find. */
export async function findFolder(ctx: RequestContext, region: Region, path: string): Promise<Folder | null> {
  const folder = { region, path };
  if (path === '/') return folder;
  if (
    listFilter(ctx.principal, ['SECRET_LIST', 'SECRET_READ'], 'secret', await factsOf(ctx, region)) === 'NONE'
  ) {
    return null;
  }
  const prefix = folderKeyPrefix(path);
  const held = await region.db.client.$queryRaw<object[]>`
    SELECT FROM secret s
    WHERE ${inScope(ctx.principal)} AND s.deleted_at IS NULL
      AND s.path_key > ${prefix} AND s.path_key < ${afterFolder(prefix)} LIMIT 1`;
  return held.length > 0 ? folder : null;
}
