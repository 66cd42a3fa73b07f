import { findPoliciesById, findPolicyNames } from '../../db/policy-row.ts';
import { BUILT_IN_POLICIES } from '../../policy/built-in-policies.ts';
import { POLICY_NAME } from '../../policy/policy-name.ts';
import type { RequestContext } from '../context/request-context.ts';
import { type Connection, connectionOf } from '../input/connection.ts';
import { type Cursor, type PageArguments, parsePage } from '../input/parse-page.ts';
import { regionOf } from '../input/region-of.ts';
import { decidingIn, may, policyOf } from '../operation/authorise.ts';
import { namedBuiltIn, type NamedPolicy, namedPolicy } from './policy-types.ts';

/** Where a policy stands in the list: by name, bytewise, and the organisation's before the project's of the same name. */
interface Place {
  readonly name: string;
  readonly project: string;
  /** null: built in. */
  readonly id: string | null;
}

/** The policies that hold in the caller's scope and that it may read, built-in ones included, by name. */
export async function policies(
  ctx: RequestContext,
  args: PageArguments & { readonly region?: string | null },
): Promise<Connection<NamedPolicy>> {
  const region = regionOf(ctx, args.region, ['region']);
  const list = 'policies';
  const page = parsePage(args, list, isPlace);
  const { client } = region.db;
  const deciding = await decidingIn(ctx, region);
  const builtIn = BUILT_IN_POLICIES.map(({ name }) => ({ name, project: '', id: null }));
  const places: Place[] = [...builtIn, ...(await findPolicyNames(client, ctx.principal))]
    .filter(({ name }) => may(deciding, 'POLICY_READ', policyOf(name)))
    .filter((place) => !page.after || compare(place, placeOf(page.after)) > 0)
    .filter((place) => !page.before || compare(place, placeOf(page.before)) < 0)
    .sort((a, b) => (page.backward ? compare(b, a) : compare(a, b)))
    .slice(0, page.limit + 1);
  const rows = await findPoliciesById(
    client,
    ctx.principal,
    places.flatMap(({ id }) => id ?? []),
  );
  const byKey = new Map([
    ...BUILT_IN_POLICIES.map((each) => [each.name, namedBuiltIn(each, region)] as const),
    ...rows.map((row) => [row.id, namedPolicy(row, region)] as const),
  ]);
  // A policy that went away between the two statements is left out.
  const found = places.flatMap(({ id, name }) => byKey.get(id ?? name) ?? []);
  return connectionOf(page, list, found, ({ name, project }) => [name, project]);
}

function compare(a: Pick<Place, 'name' | 'project'>, b: Pick<Place, 'name' | 'project'>): number {
  if (a.name !== b.name) return a.name < b.name ? -1 : 1;
  return a.project === b.project ? 0 : a.project < b.project ? -1 : 1;
}

function placeOf(cursor: Cursor | null): Pick<Place, 'name' | 'project'> {
  return { name: String(cursor?.[0]), project: String(cursor?.[1]) };
}

function isPlace(parts: readonly unknown[]): boolean {
  const [name, project] = parts;
  return (
    parts.length === 2 && typeof name === 'string' && POLICY_NAME.test(name) && typeof project === 'string'
  );
}
