import type { Bindable } from './compiled-policies.ts';
import type { Policy } from './policy.ts';
import type { Principal } from './principal.ts';

/** What a decision may rest on besides who asks for what. */
export interface Facts {
  readonly policies: readonly Policy[];
  /** null: unknown. */
  readonly clientAddress: string | null;
  readonly at: Date;
}

/** Who is decided about. `claims` null: unknown, as of somebody whose token is not at hand. */
export type Asking = Bindable & { readonly claims: Principal['claims'] | null };
