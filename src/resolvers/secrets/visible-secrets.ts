import { type ListFilter, listFilter, within } from '../../policy/list-filter.ts';
import { afterFolder, folderKeyPrefix } from '../../policy/secret-path.ts';
import type { Region, RequestContext } from '../context/request-context.ts';
import { factsOf } from '../operation/authorise.ts';

/** Which secrets of a region the caller finds in lists and folders, of those below a folder, at whatever depth. */
export async function visibleSecrets(ctx: RequestContext, region: Region, folder = '/'): Promise<ListFilter> {
  const facts = await factsOf(ctx, region);
  const prefix = folderKeyPrefix(folder);
  const filter = listFilter(ctx.principal, ['SECRET_LIST', 'SECRET_READ'], 'secret', facts);
  return within(filter, prefix, afterFolder(prefix));
}
