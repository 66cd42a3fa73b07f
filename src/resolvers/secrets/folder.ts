import type { Region, RequestContext } from '../context/request-context.ts';
import { parseFolderPath } from '../../policy/secret-path.ts';
import { findFolder } from './find-folder.ts';
import { regionOf } from '../input/region-of.ts';

/** A folder of the path tree: it exists while it holds something that the caller may find. */
export interface Folder {
  readonly region: Region;
  readonly path: string;
}

/** Query.folder: null when nothing below the path may be found; the root always exists. */
export async function folder(
  ctx: RequestContext,
  args: { readonly path: string; readonly region?: string | null },
): Promise<Folder | null> {
  const region = regionOf(ctx, args.region, ['region']);
  return findFolder(ctx, region, parseFolderPath(args.path, ['path']));
}
