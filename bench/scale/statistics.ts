/** The value below which the share `quantile` of the samples lies, from 0 to 1; NaN of none. */
export function quantileOf(samples: readonly number[], quantile: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * quantile))] ?? NaN;
}

export function medianOf(samples: readonly number[]): number {
  return quantileOf(samples, 0.5);
}
