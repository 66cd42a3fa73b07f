import { parseArgs } from 'node:util';

/** What the command line asks for. */
export interface Options {
  /** How many secrets each database holds, the smallest first. */
  readonly sizes: readonly number[];
  /** How often all sizes are measured, one after the other. */
  readonly rounds: number;
  /** How long one measure of one size lasts in a round. */
  readonly seconds: number;
  readonly plot: string | null;
  readonly json: string;
  /** Where the databases stay for the next run; null: they are removed at the end. */
  readonly keep: string | null;
}

/** A command line that cannot be followed; its message is for the user. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

const SMALLEST = 1_000;
const LARGEST = 10_000_000;

export function parseOptions(args: readonly string[]): Options {
  const text = { type: 'string' } as const;
  const options = { sizes: text, rounds: text, seconds: text, plot: text, json: text, keep: text };
  const { values } = parse(() => parseArgs({ args: [...args], options }));
  const sizes = (values.sizes ?? '1000,100000,1000000')
    .split(',')
    .map((size) => numberOf('sizes', size, SMALLEST, LARGEST));
  if (sizes.some((size) => !Number.isInteger(size))) throw new UsageError('--sizes must be whole numbers');
  return {
    sizes: [...new Set(sizes)].sort((a, b) => a - b),
    rounds: numberOf('rounds', values.rounds ?? '5', 1, 1_000),
    seconds: numberOf('seconds', values.seconds ?? '2', 0.05, 600),
    plot: values.plot ?? null,
    json: values.json ?? 'bench/results/scale.json',
    keep: values.keep ?? null,
  };
}

function parse<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : 'the options cannot be read');
  }
}

function numberOf(name: string, text: string, least: number, most: number): number {
  const value = Number(text.replaceAll('_', ''));
  if (value >= least && value <= most) return value;
  throw new UsageError(`--${name} must be from ${least} to ${most}`);
}
