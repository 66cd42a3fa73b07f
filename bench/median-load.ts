import type { MeasuredLoad } from './load/measurement.ts';
import { median } from './median.ts';

/** The medians over the rounds of one row; its errors added up. */
export function medianLoad(loads: readonly MeasuredLoad[]): MeasuredLoad {
  const of = (figure: (load: MeasuredLoad) => number) => median(loads.map(figure));
  const known = (figure: (load: MeasuredLoad) => number | null) => {
    const values = loads.map(figure).filter((value) => value !== null);
    return values.length === 0 ? null : median(values);
  };
  return {
    requests: of(({ requests }) => requests),
    perSecond: of(({ perSecond }) => perSecond),
    p50Ms: of(({ p50Ms }) => p50Ms),
    p99Ms: of(({ p99Ms }) => p99Ms),
    serviceMicroseconds: known(({ serviceMicroseconds }) => serviceMicroseconds),
    postgresMicroseconds: known(({ postgresMicroseconds }) => postgresMicroseconds),
    loadMicroseconds: of(({ loadMicroseconds }) => loadMicroseconds),
    residentBytes: known(({ residentBytes }) => residentBytes),
    errors: loads.reduce((sum, { errors }) => sum + errors, 0),
    firstError: loads.find(({ firstError }) => firstError !== null)?.firstError ?? null,
  };
}
