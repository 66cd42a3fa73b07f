import type { Run } from '../../db/statements.ts';
import { RequestError } from '../../errors.ts';
import type { Facts } from '../../policy/facts.ts';
import type { PolicySnapshot } from '../context/policies.ts';
import type { Region, RequestContext } from '../context/request-context.ts';
import { loadSnapshot } from './policy-store.ts';

/** How long decisions may rest on policies unheard: with the silence of a lost listener, under the 2 seconds of a change. */
const FRESH_MS = 400;
const ATTEMPTS = 4;

/** Policies changed while something waited, or may have: it is undone and decides anew. */
class PoliciesChanged extends Error {
  override readonly name = 'PoliciesChanged';
}

/** One state of the policies, for all decisions of some requests that are answered together. */
export class TakenPolicies {
  readonly #region: Region;
  readonly #takenAt = performance.now();
  readonly #snapshots = new Map<RequestContext, PolicySnapshot>();

  private constructor(region: Region) {
    this.#region = region;
  }

  static async take(contexts: readonly RequestContext[], region: Region): Promise<TakenPolicies> {
    const taken = new TakenPolicies(region);
    for (const ctx of contexts) taken.#snapshots.set(ctx, await region.policies.of(ctx.principal));
    return taken;
  }

  factsOf(ctx: RequestContext): Facts {
    const policies = this.#snapshots.get(ctx)?.policies ?? [];
    return { policies, clientAddress: ctx.clientAddress, at: ctx.now() };
  }

  /** Throws where so much time has passed that the rows which were decided on may be others now, too. */
  requireFresh(): void {
    if (performance.now() - this.#takenAt > FRESH_MS) throw new PoliciesChanged();
  }

  /**
   * To be asked last, before what was decided takes effect. Throws where it took so long that they may have changed, and
   * have; without a transaction to look in, where nothing says that they have not.
   */
  async requireUnchanged(run: Run | null): Promise<void> {
    if (performance.now() - this.#takenAt <= FRESH_MS) return;
    const seen = new Set<PolicySnapshot>();
    for (const [{ principal }, snapshot] of this.#snapshots) {
      if (seen.has(snapshot) || this.#region.policies.isKept(principal, snapshot)) continue;
      seen.add(snapshot);
      const revision = run && (await loadSnapshot(run, principal)).revision;
      if (revision !== snapshot.revision) throw new PoliciesChanged();
    }
  }
}

/** Runs `attempt` with the policies as they stand, and again with others where these changed under it. */
export async function withTakenPolicies<T>(
  contexts: readonly RequestContext[],
  region: Region,
  attempt: (policies: TakenPolicies) => Promise<T>,
): Promise<T> {
  for (let attempts = 1; attempts <= ATTEMPTS; attempts++) {
    try {
      return await attempt(await TakenPolicies.take(contexts, region));
    } catch (error) {
      if (!(error instanceof PoliciesChanged)) throw error;
    }
  }
  throw new RequestError('SERVICE_UNAVAILABLE', 'Policies keep changing; try again.');
}
