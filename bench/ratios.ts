/** What the service is held to, each against a reference of the same round. */
import { BATCH } from './exchanges.ts';
import type { MeasuredLoad } from './load/measurement.ts';
import { median } from './median.ts';

interface Target {
  readonly name: string;
  readonly numerator: string;
  readonly denominator: string;
  readonly of: (load: MeasuredLoad) => number;
  readonly ofDenominator?: (load: MeasuredLoad) => number;
  readonly bound: 'at least' | 'at most';
  readonly target: number;
}

const perSecond = ({ perSecond }: MeasuredLoad) => perSecond;

const TARGETS: readonly Target[] = [
  {
    name: 'getSecretValue@64 / yoga@64, requests/s',
    numerator: 'getSecretValue@64',
    denominator: 'yoga@64',
    ...{ of: perSecond, bound: 'at least', target: 0.8 },
  },
  {
    name: 'getSecretValue@64 / floor@64, p99',
    numerator: 'getSecretValue@64',
    denominator: 'floor@64',
    ...{ of: ({ p99Ms }) => p99Ms, bound: 'at most', target: 3 },
  },
  {
    name: 'getSecretValue@1 / floor@1, requests/s',
    numerator: 'getSecretValue@1',
    denominator: 'floor@1',
    ...{ of: perSecond, bound: 'at least', target: 0.5 },
  },
  {
    name: 'getSecretValues@8 / getSecretValue@64, values/s',
    numerator: 'getSecretValues@8',
    denominator: 'getSecretValue@64',
    ...{ of: (load) => load.perSecond * BATCH, ofDenominator: perSecond, bound: 'at least', target: 4 },
  },
  {
    name: 'putSecretValue@64 / pg-put@64, writes/s',
    numerator: 'putSecretValue@64',
    denominator: 'pg-put@64',
    ...{ of: perSecond, bound: 'at least', target: 0.5 },
  },
];

export interface Ratio {
  readonly name: string;
  /** The median of the rounds' own ratios. */
  readonly value: number;
  readonly rounds: readonly number[];
  readonly bound: 'at least' | 'at most';
  readonly target: number;
  readonly met: boolean;
}

/** The ratios whose two rows were measured. */
export function ratiosOf(rounds: readonly ReadonlyMap<string, MeasuredLoad>[]): readonly Ratio[] {
  return TARGETS.flatMap((target) => {
    const { name, numerator, denominator, of, ofDenominator = of, bound } = target;
    const ratios = rounds.flatMap((round) => {
      const [above, below] = [round.get(numerator), round.get(denominator)];
      return above && below ? [of(above) / ofDenominator(below)] : [];
    });
    if (ratios.length === 0) return [];
    const value = median(ratios);
    const met = bound === 'at least' ? value >= target.target : value <= target.target;
    return [{ name, value, rounds: ratios, bound, target: target.target, met }];
  });
}
