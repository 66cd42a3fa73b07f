import type { Database } from '../../db/database.ts';
import type { Notifications } from '../../db/notifications.ts';
import { findPolicies, type PolicyRow } from '../../db/policy-row.ts';
import type { Scope } from '../../db/secret-row.ts';
import { type Run, runIn } from '../../db/statements.ts';
import { BUILT_IN_POLICIES } from '../../policy/built-in-policies.ts';
import type { Policy } from '../../policy/policy.ts';
import type { Policies, PolicySnapshot } from '../context/policies.ts';

interface Kept {
  readonly organisation: string;
  readonly loading: Promise<PolicySnapshot>;
  /** null until it is loaded. */
  snapshot: PolicySnapshot | null;
}

const MAX_SCOPES = 1_000;

/**
 * The policies of a region's organisations, kept in memory. A change is heard of through the database and drops what is
 * kept of its organisation; whoever makes one drops it at once. While nothing is heard, nothing is kept.
 */
export class PolicyStore implements Policies {
  readonly #db: Database;
  readonly #kept = new Map<string, Kept>();
  #isListening = true;

  constructor(db: Database, notifications: Notifications) {
    this.#db = db;
    notifications.on('policies', {
      notified: (organisation) => this.forget(organisation),
      interrupted: () => {
        this.#isListening = false;
        this.#kept.clear();
      },
      resumed: () => {
        // What was loaded before this moment may have missed a change.
        this.#kept.clear();
        this.#isListening = true;
      },
    });
  }

  async of(scope: Scope): Promise<PolicySnapshot> {
    const key = keyOf(scope);
    const kept = this.#kept.get(key);
    if (kept) return kept.loading;
    const loading = loadSnapshot(runIn(this.#db.client), scope);
    if (!this.#isListening) return loading;
    const entry: Kept = { organisation: scope.organisation, loading, snapshot: null };
    const [oldest] = this.#kept.keys();
    if (oldest !== undefined && this.#kept.size >= MAX_SCOPES) this.#kept.delete(oldest);
    this.#kept.set(key, entry);
    loading.then(
      (snapshot) => (entry.snapshot = snapshot),
      () => {
        if (this.#kept.get(key) === entry) this.#kept.delete(key);
      },
    );
    return loading;
  }

  isKept(scope: Scope, snapshot: PolicySnapshot): boolean {
    return this.#kept.get(keyOf(scope))?.snapshot === snapshot;
  }

  forget(organisation: string): void {
    for (const [key, entry] of this.#kept) if (entry.organisation === organisation) this.#kept.delete(key);
  }
}

/** What holds in the scope as the transaction sees it. */
export async function loadSnapshot(run: Run, scope: Scope): Promise<PolicySnapshot> {
  const rows = await findPolicies(run, scope);
  const revision = rows.map(({ id, objectVersion }) => `${id}:${objectVersion}`).join();
  // The same list for everybody who has no policies: it is compiled once.
  const policies = rows.length === 0 ? BUILT_IN_POLICIES : [...BUILT_IN_POLICIES, ...rows.map(policyOfRow)];
  return { policies, revision };
}

export function policyOfRow({ name, statements, subjects }: PolicyRow): Policy {
  return { name, builtIn: false, statements, subjects };
}

function keyOf({ organisation, project }: Scope): string {
  return `${organisation}/${project}`;
}
