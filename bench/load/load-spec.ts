import type { Timing, Watched } from './measurement.ts';

/** A request, and what a successful answer to it is. */
export interface Exchange {
  readonly body: string;
  readonly expected: string;
  /** `whole`: the body of the answer is `expected`; `start`: it begins with it, and holds no `"errors"`. */
  readonly match: 'whole' | 'start';
}

export interface LoadSpec {
  readonly port: number;
  readonly path: string;
  /** A connection each: the header lines that are its own, such as its token's. */
  readonly connections: readonly string[];
  /** Every connection goes through all of them, from a place of its own, and begins again. */
  readonly exchanges: readonly Exchange[];
  readonly timing: Timing;
  readonly watched: Watched;
}
