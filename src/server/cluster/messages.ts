import type { MetricValues } from '../../http/metrics.ts';

/** What the primary tells a worker. */
export type ToWorker =
  /** Serve, configured by this; it holds keys, and goes through this channel alone. */
  | { readonly type: 'serve'; readonly environment: Readonly<Record<string, string>> }
  /** Finish what is in flight, and end. */
  | { readonly type: 'stop' }
  | { readonly type: 'metrics-wanted'; readonly gathering: number }
  /** Of all workers, for a scrape that this one was asked for. */
  | { readonly type: 'total-metrics'; readonly scrape: number; readonly text: string };

/** What a worker tells the primary. */
export type ToPrimary =
  /** It cannot serve, for a reason that an operator may read, and ends. */
  | { readonly type: 'failed'; readonly reason: string }
  | { readonly type: 'metrics'; readonly gathering: number; readonly values: MetricValues }
  | { readonly type: 'total-metrics-wanted'; readonly scrape: number };
