export interface Sample {
  readonly minute: number;
  readonly megabytes: number;
}

/** The slope of the straight line through the samples by least squares, in megabytes a minute; 0 for fewer than two. */
export function slopePerMinute(samples: readonly Sample[]): number {
  const mean = (of: (sample: Sample) => number) =>
    samples.reduce((sum, sample) => sum + of(sample), 0) / samples.length;
  const meanMinute = mean(({ minute }) => minute);
  const meanMegabytes = mean(({ megabytes }) => megabytes);
  const variance = mean(({ minute }) => (minute - meanMinute) ** 2);
  if (!(variance > 0)) return 0;
  return mean(({ minute, megabytes }) => (minute - meanMinute) * (megabytes - meanMegabytes)) / variance;
}
