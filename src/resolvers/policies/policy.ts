import { findPoliciesById, findPoliciesByKey } from '../../db/policy-row.ts';
import { BUILT_IN_POLICIES } from '../../policy/built-in-policies.ts';
import { isBuiltInName, POLICY_NAME, policyNameKey } from '../../policy/policy-name.ts';
import type { Region, RequestContext } from '../context/request-context.ts';
import { regionOf } from '../input/region-of.ts';
import { decidingIn, may, policyOf } from '../operation/authorise.ts';
import { namedBuiltIn, type NamedPolicy, namedPolicy } from './policy-types.ts';

/** Query.policy: null when it is missing or the caller may not read it. Of two with the name, the project's own. */
export async function policy(
  ctx: RequestContext,
  args: { readonly name: string; readonly region?: string | null },
): Promise<NamedPolicy | null> {
  const region = regionOf(ctx, args.region, ['region']);
  if (!POLICY_NAME.test(args.name)) return null;
  if (isBuiltInName(args.name)) return readablePolicy(ctx, region, args.name);
  const rows = await findPoliciesByKey(region.db.client, ctx.principal, policyNameKey(args.name));
  const row = rows.find(({ name }) => name === args.name);
  return readable(ctx, row ? namedPolicy(row, region) : null, region);
}

/** The policy of a key, if the caller may read it. */
export async function readablePolicy(
  ctx: RequestContext,
  region: Region,
  key: string,
): Promise<NamedPolicy | null> {
  if (isBuiltInName(key)) {
    const builtIn = BUILT_IN_POLICIES.find(({ name }) => name === key);
    return readable(ctx, builtIn ? namedBuiltIn(builtIn, region) : null, region);
  }
  const [row] = await findPoliciesById(region.db.client, ctx.principal, [key]);
  return readable(ctx, row ? namedPolicy(row, region) : null, region);
}

async function readable(
  ctx: RequestContext,
  found: NamedPolicy | null,
  region: Region,
): Promise<NamedPolicy | null> {
  const deciding = await decidingIn(ctx, region);
  return found && may(deciding, 'POLICY_READ', policyOf(found.name)) ? found : null;
}
