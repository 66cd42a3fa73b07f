import { collectDefaultMetrics, Counter, Histogram, Registry } from 'prom-client';

/** Prometheus metrics. Labels are names of ours only: a client chooses none of them. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #requests: Histogram<'path' | 'status'>;
  readonly #refusals: Counter<'code'>;

  constructor() {
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

  text(): Promise<string> {
    return this.#registry.metrics();
  }

  observe(path: string, status: number, milliseconds: number): void {
    this.#requests.observe({ path, status }, milliseconds / 1000);
  }

  refuse(code: string): void {
    this.#refusals.inc({ code });
  }
}
