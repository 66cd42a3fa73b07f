import type { Timing, Watched } from '../load/measurement.ts';

export interface PutSpec {
  readonly connectionString: string;
  readonly workers: number;
  readonly timing: Timing;
  readonly watched: Watched;
}
