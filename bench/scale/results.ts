import { medianOf, quantileOf } from './statistics.ts';

/** What one measure took at one size, in milliseconds: the medians over the rounds. */
export interface Point {
  readonly size: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly requests: number;
}

/** One measure over all sizes. */
export interface Series {
  readonly name: string;
  readonly caller: string;
  readonly points: readonly Point[];
  /** The p50 at the largest size over that at the smallest. */
  readonly ratio: number;
}

export const TARGET_RATIO = 1.5;

export function pointOf(size: number, rounds: readonly (readonly number[])[]): Point {
  const median = (quantile: number) => medianOf(rounds.map((samples) => quantileOf(samples, quantile)));
  return { size, p50Ms: median(0.5), p95Ms: median(0.95), requests: rounds.flat().length };
}

export function seriesOf(name: string, caller: string, points: readonly Point[]): Series {
  const [first, last] = [points[0]?.p50Ms ?? NaN, points.at(-1)?.p50Ms ?? NaN];
  return { name, caller, points, ratio: last / first };
}

/** The results as lines of text: p50 and p95 in milliseconds. */
export function tableOf(series: readonly Series[]): string {
  const sizes = series[0]?.points.map(({ size }) => size.toLocaleString('en')) ?? [];
  const header = ['measure', 'caller', ...sizes, 'ratio', ''];
  const rows = series.map(({ name, caller, points, ratio }) => [
    ...[name, caller],
    ...points.map(({ p50Ms, p95Ms }) => `${p50Ms.toFixed(2)} / ${p95Ms.toFixed(2)}`),
    ...[ratio.toFixed(2), ratio > TARGET_RATIO ? `over ${TARGET_RATIO}` : ''],
  ]);
  const widths = header.map((_, column) =>
    Math.max(...[header, ...rows].map((row) => row[column]?.length ?? 0)),
  );
  const pad = (row: readonly string[]) =>
    row
      .map((cell, column) =>
        column < 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd();
  return ['p50 / p95 in milliseconds, by number of secrets', '', ...[header, ...rows].map(pad)].join('\n');
}
