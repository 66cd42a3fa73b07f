import type { Region, RequestContext } from '../context/request-context.ts';
import { regionOf } from '../input/region-of.ts';
import { decidingIn, kmsKeyOf, may } from '../operation/authorise.ts';
import type { KmsKey } from '../rows/secret-types.ts';

/** Query.kmsKey: null when it is missing or the caller may not read it. */
export async function kmsKey(
  ctx: RequestContext,
  args: { readonly identity: string; readonly region?: string | null },
): Promise<KmsKey | null> {
  return readableKmsKey(ctx, regionOf(ctx, args.region, ['region']), args.identity);
}

/** The key of this identity, if the caller may read it. */
export async function readableKmsKey(
  ctx: RequestContext,
  region: Region,
  identity: string,
): Promise<KmsKey | null> {
  // A NUL would be an error to Postgres; no identity has one.
  const row = identity.includes('\0') ? null : await ctx.loaders(region).kmsKey.load(identity);
  const deciding = await decidingIn(ctx, region);
  return row && may(deciding, 'KMS_KEY_READ', kmsKeyOf(identity)) ? { ...row, region } : null;
}
