import { parseFolderPath } from '../../policy/secret-path.ts';
import type { RequestContext } from '../context/request-context.ts';
import { regionOf } from '../input/region-of.ts';
import { findFolder, type Folder } from './find-folder.ts';

/** Query.folder: null when nothing below the path may be found; the root always exists. */
export async function folder(
  ctx: RequestContext,
  args: { readonly path: string; readonly region?: string | null },
): Promise<Folder | null> {
  const region = regionOf(ctx, args.region, ['region']);
  return findFolder(ctx, region, parseFolderPath(args.path, ['path']));
}
