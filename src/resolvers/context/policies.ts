import type { Scope } from '../../db/secret-row.ts';
import type { Policy } from '../../policy/policy.ts';

/** The policies that hold in a scope at one time; what is compiled of them lives as long as the list does. */
export interface PolicySnapshot {
  readonly policies: readonly Policy[];
  /** The same for the same policies in the same state. */
  readonly revision: string;
}

/** The policies of a region. */
export interface Policies {
  /** What holds in the scope now, or did until at most a moment ago: see `isKept`. */
  of(scope: Scope): Promise<PolicySnapshot>;
  /** Whether this is what `of` would give now, as far as this gateway has heard. */
  isKept(scope: Scope, snapshot: PolicySnapshot): boolean;
  /** Drops what is kept of an organisation. What is being loaded reaches those who wait for it, and is not kept. */
  forget(organisation: string): void;
}
