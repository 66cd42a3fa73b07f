import { findSecretsByKey } from '../../db/secret-row.ts';
import { runIn } from '../../db/statements.ts';
import { parseSecretPath, pathKey } from '../../policy/secret-path.ts';
import type { RequestContext } from '../context/request-context.ts';
import { regionOf } from '../input/region-of.ts';
import { decidingIn, may, secretAt } from '../operation/authorise.ts';
import type { Secret } from '../rows/secret-types.ts';

/** Query.secret: a live secret's metadata; null when it is missing or the caller may not read it. */
export async function secret(
  ctx: RequestContext,
  args: { readonly path: string; readonly region?: string | null },
): Promise<Secret | null> {
  const region = regionOf(ctx, args.region, ['region']);
  const path = parseSecretPath(args.path, ['path']);
  const [row] = await findSecretsByKey(runIn(region.db.client), ctx.principal, [pathKey(path)]);
  const deciding = await decidingIn(ctx, region);
  return row && may(deciding, 'SECRET_READ', secretAt(path)) ? { ...row, region } : null;
}
