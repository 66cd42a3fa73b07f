import {
  collectDefaultMetrics,
  Counter,
  Histogram,
  type MetricObjectWithValues,
  Registry,
} from 'prom-client';
import type { MetricValue } from 'prom-client';

/** What was counted and measured in one process. */
export type MetricValues = readonly MetricObjectWithValues<MetricValue<string>>[];

/** Prometheus metrics. Labels are names of ours only: a client chooses none of them. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #requests: Histogram<'path' | 'status'>;
  readonly #refusals: Counter<'code'>;

  readonly #total: (() => Promise<string>) | null;

  /** `total` answers for all processes of the service, where this one is not alone. */
  constructor(total: (() => Promise<string>) | null = null) {
    this.#total = total;
    collectDefaultMetrics({ register: this.#registry });
    this.#requests = new Histogram({
      name: 'strongroom_http_request_duration_seconds',
      help: 'How long requests took, by path and HTTP status.',
      labelNames: ['path', 'status'],
      registers: [this.#registry],
    });
    this.#refusals = new Counter({
      name: 'strongroom_authentication_refusals_total',
      help: 'Requests whose token or project was refused, by code.',
      labelNames: ['code'],
      registers: [this.#registry],
    });
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** Of the whole service. */
  text(): Promise<string> {
    return this.#total ? this.#total() : this.#registry.metrics();
  }

  /** Of this process. */
  values(): Promise<MetricValues> {
    return this.#registry.getMetricsAsJSON();
  }

  observe(path: string, status: number, milliseconds: number): void {
    this.#requests.observe({ path, status }, milliseconds / 1000);
  }

  refuse(code: string): void {
    this.#refusals.inc({ code });
  }
}
