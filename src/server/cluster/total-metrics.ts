import { AggregatorRegistry } from 'prom-client';
import type { MetricValues } from '../../http/metrics.ts';

interface Gathering {
  readonly waitingFor: Set<number>;
  readonly over: () => void;
}

const GATHERING_MS = 1_000;

/**
 * The metrics of all workers as one. A worker that has ended leaves what it had counted when it was last asked, or totals
 * would fall, which Prometheus takes for a start anew; one that does not answer in a second counts as it last did.
 */
export class TotalMetrics {
  readonly #latest = new Map<number, MetricValues>();
  readonly #gatherings = new Map<number, Gathering>();
  #left: Promise<MetricValues> = Promise.resolve([]);
  #count = 0;

  /** Asks workers, of which `ask` reaches one, and answers what Prometheus reads. */
  async text(workers: readonly number[], ask: (worker: number, gathering: number) => void): Promise<string> {
    const id = ++this.#count;
    const { promise, resolve } = Promise.withResolvers<undefined>();
    this.#gatherings.set(id, { waitingFor: new Set(workers), over: () => resolve(undefined) });
    const patience = setTimeout(resolve, GATHERING_MS);
    for (const worker of workers) ask(worker, id);
    if (workers.length > 0) await promise;
    clearTimeout(patience);
    this.#gatherings.delete(id);
    const left = await this.#left;
    return aggregate([left, ...this.#latest.values()]).metrics();
  }

  tell(worker: number, gathering: number, values: MetricValues): void {
    this.#latest.set(worker, values);
    this.#answered(worker, gathering);
  }

  leave(worker: number): void {
    const last = this.#latest.get(worker);
    this.#latest.delete(worker);
    if (last) {
      const sums = last.filter(({ type }) => ['counter', 'histogram'].includes(String(type)));
      this.#left = this.#left.then((left) => aggregate([left, sums]).getMetricsAsJSON());
    }
    for (const gathering of this.#gatherings.keys()) this.#answered(worker, gathering);
  }

  #answered(worker: number, gathering: number): void {
    const { waitingFor, over } = this.#gatherings.get(gathering) ?? {};
    if (waitingFor?.delete(worker) && waitingFor.size === 0) over?.();
  }
}

function aggregate(all: readonly MetricValues[]) {
  return AggregatorRegistry.aggregate([...all]);
}
