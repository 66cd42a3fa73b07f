import type { ChainHead } from './append.ts';

const MAX_CHAINS = 10_000;
/** Who was mistaken once has company: for so many groups the head is looked at before it is relied on. */
const CAUTIOUS_GROUPS = 32;

interface Seen {
  readonly head: ChainHead | null;
  readonly caution: number;
}

/** Where the chains of a region were last seen to end, 10,000 at most: what to expect, never what to rely on. */
export class ChainHeads {
  readonly #seen = new Map<string, Seen>();

  /** null: unknown, or not worth a guess now. */
  expected(organisation: string): ChainHead | null {
    const seen = this.#seen.get(organisation);
    return seen && seen.caution === 0 ? seen.head : null;
  }

  saw(organisation: string, head: ChainHead): void {
    const caution = this.#seen.get(organisation)?.caution ?? 0;
    this.#set(organisation, { head, caution: Math.max(caution - 1, 0) });
  }

  missed(organisation: string): void {
    this.#set(organisation, { head: null, caution: CAUTIOUS_GROUPS });
  }

  #set(organisation: string, seen: Seen): void {
    this.#seen.delete(organisation);
    this.#seen.set(organisation, seen);
    const [oldest] = this.#seen.keys();
    if (oldest !== undefined && this.#seen.size > MAX_CHAINS) this.#seen.delete(oldest);
  }
}
