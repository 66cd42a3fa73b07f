import type { Transaction } from '../db/database.ts';
import { RequestError } from '../errors.ts';
import type { Facts } from '../policy/decide.ts';
import { loadSnapshot, type PolicySnapshot } from './policy-store.ts';
import type { Region, RequestContext } from './request-context.ts';

/** How long decisions may rest on policies unheard: with the silence of a lost listener, under the 2 seconds of a change. */
const FRESH_MS = 400;
const ATTEMPTS = 4;

/** Policies changed while a transaction waited: it is undone and decides anew. */
class PoliciesChanged extends Error {
  override readonly name = 'PoliciesChanged';
}

/**
 * Runs `work` in a transaction, with one state of the policies for all its decisions. One that had to wait, for a
 * connection or a lock, commits only if that state still stands; otherwise it runs again.
 */
export function withPolicies<T>(
  ctx: RequestContext,
  region: Region,
  work: (tx: Transaction, facts: Facts) => Promise<T>,
): Promise<T> {
  return withPoliciesOfAll([ctx], region, (tx, factsOf) => work(tx, factsOf(ctx)));
}

/** The same for several requests that share a transaction. */
export async function withPoliciesOfAll<T>(
  contexts: readonly RequestContext[],
  region: Region,
  work: (tx: Transaction, factsOf: (ctx: RequestContext) => Facts) => Promise<T>,
): Promise<T> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const taken = performance.now();
    const snapshots = new Map<RequestContext, PolicySnapshot>();
    for (const ctx of contexts) snapshots.set(ctx, await region.policies.of(ctx.principal));
    try {
      return await region.db.transaction(async (tx) => {
        const result = await work(tx, (ctx) => ({
          policies: snapshots.get(ctx)?.policies ?? [],
          clientAddress: ctx.clientAddress,
          at: ctx.now(),
        }));
        if (performance.now() - taken > FRESH_MS) await requireUnchanged(tx, region, snapshots);
        return result;
      });
    } catch (error) {
      if (!(error instanceof PoliciesChanged)) throw error;
    }
  }
  throw new RequestError('SERVICE_UNAVAILABLE', 'Policies keep changing; try again.');
}

async function requireUnchanged(
  tx: Transaction,
  region: Region,
  snapshots: ReadonlyMap<RequestContext, PolicySnapshot>,
): Promise<void> {
  const seen = new Set<PolicySnapshot>();
  for (const [{ principal }, snapshot] of snapshots) {
    if (seen.has(snapshot) || region.policies.isKept(principal, snapshot)) continue;
    seen.add(snapshot);
    const { revision } = await loadSnapshot(tx, principal);
    if (revision !== snapshot.revision) throw new PoliciesChanged();
  }
}
