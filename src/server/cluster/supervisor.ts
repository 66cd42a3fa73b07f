import cluster, { type Worker } from 'node:cluster';
import type { Logger } from '../../http/log.ts';
import type { ToPrimary, ToWorker } from './messages.ts';
import { passOnUntaken } from './pass-on-untaken.ts';
import { TotalMetrics } from './total-metrics.ts';
import { WorkerError } from './worker-error.ts';

const BACKOFF_MS = { first: 100, most: 10_000 };
/** A worker that has lived so long did not die of its start. */
const STEADY_MS = 30_000;
/** Longer than a gateway's drain and its slowest transaction together. */
const STOP_MS = 60_000;

/** Workers of this process that share a port: started, replaced when they die, stopped. */
export class Supervisor {
  readonly #log: Logger;
  readonly #count: number;
  readonly #workers = new Set<Worker>();
  readonly #listening = new Set<Worker>();
  readonly #metrics = new TotalMetrics();
  readonly #started = Promise.withResolvers<number>();
  readonly #ended = Promise.withResolvers<undefined>();
  #phase: 'starting' | 'serving' | 'stopping' = 'starting';
  #environment: Readonly<Record<string, string>> | null = null;
  #port: number | null = null;
  #deaths = 0;
  #steadyAt = 0;
  #scraping: Promise<string> | null = null;
  #isClean = true;
  readonly #replacements = new Set<NodeJS.Timeout>();

  /** Starts `count` processes that run the file `exec`; they wait for `serve`. */
  constructor(exec: string, count: number, log: Logger) {
    this.#count = count;
    this.#log = log;
    this.#started.promise.catch(() => undefined);
    // 'advanced': metrics may be NaN, which JSON has not.
    cluster.setupPrimary({ exec, args: [], serialization: 'advanced' });
    for (let started = 0; started < count; started++) this.#fork();
  }

  /** Has all serve, configured by `environment`, on `port`; answers the port once they listen. Throws `WorkerError`. */
  async serve(environment: Readonly<Record<string, string>>, port: number): Promise<number> {
    this.#environment = { ...environment, PORT: String(port) };
    for (const worker of this.#workers) this.#handOver(worker);
    return this.#started.promise;
  }

  /** Lets all finish what is in flight; returns when they have ended. Throws `WorkerError` when one ended badly. */
  async close(): Promise<void> {
    this.#phase = 'stopping';
    for (const replacement of this.#replacements) clearTimeout(replacement);
    for (const worker of this.#workers) {
      if (this.#environment) this.#send(worker, { type: 'stop' });
      else worker.process.kill('SIGKILL');
    }
    const patience = setTimeout(() => {
      for (const worker of this.#workers) worker.process.kill('SIGKILL');
    }, STOP_MS);
    if (this.#workers.size > 0) await this.#ended.promise;
    clearTimeout(patience);
    if (!this.#isClean) throw new WorkerError('A worker did not end cleanly: see the log.');
  }

  #fork(): void {
    const worker = cluster.fork();
    this.#workers.add(worker);
    passOnUntaken(worker);
    worker.on('message', (message: ToPrimary) => this.#hear(worker, message));
    worker.once('listening', ({ port }) => this.#listens(worker, port));
    worker.once('exit', (code, signal) => this.#ends(worker, { code, signal }));
    // It could not be started at all: nothing else tells of that.
    worker.on('error', ({ code }: NodeJS.ErrnoException) => this.#ends(worker, { code: code ?? null }));
    this.#handOver(worker);
  }

  #handOver(worker: Worker): void {
    if (this.#environment) this.#send(worker, { type: 'serve', environment: this.#environment });
  }

  #send(worker: Worker, message: ToWorker): void {
    // One that has died meanwhile is told of by its exit.
    if (worker.isConnected()) worker.send(message, () => undefined);
  }

  #hear(worker: Worker, message: ToPrimary): void {
    switch (message.type) {
      case 'failed':
        // Of several that fail to start, the first is told of.
        if (this.#phase === 'starting') this.#started.reject(new WorkerError(message.reason));
        else if (this.#phase === 'serving')
          this.#log.error({ pid: worker.process.pid, reason: message.reason }, 'a worker could not start');
        return;
      case 'metrics':
        return this.#metrics.tell(worker.id, message.gathering, message.values);
      case 'total-metrics-wanted':
        return void this.#answerScrape(worker, message.scrape);
    }
  }

  async #answerScrape(asking: Worker, scrape: number): Promise<void> {
    // Whoever asks meanwhile is given the same: each gathering asks all workers.
    this.#scraping ??= this.#totalMetrics().finally(() => (this.#scraping = null));
    this.#send(asking, { type: 'total-metrics', scrape, text: await this.#scraping });
  }

  #totalMetrics(): Promise<string> {
    const workers = new Map([...this.#listening].map((worker) => [worker.id, worker]));
    return this.#metrics.text([...workers.keys()], (id, gathering) => {
      const worker = workers.get(id);
      if (worker) this.#send(worker, { type: 'metrics-wanted', gathering });
    });
  }

  #listens(worker: Worker, port: number): void {
    this.#port ??= port;
    if (port !== this.#port) {
      // PORT is 0, and it came between the end of the last worker and the start of the next, which had to ask for the port.
      worker.process.kill('SIGKILL');
      return;
    }
    this.#listening.add(worker);
    this.#steadyAt = performance.now() + STEADY_MS;
    if (this.#phase !== 'starting' || this.#listening.size < this.#count) return;
    this.#phase = 'serving';
    this.#started.resolve(port);
  }

  #ends(worker: Worker, why: { readonly code: number | string | null; readonly signal?: string }): void {
    if (!this.#workers.delete(worker)) return;
    const hadListened = this.#listening.delete(worker);
    this.#metrics.leave(worker.id);
    switch (this.#phase) {
      case 'starting': {
        const reason = `A worker ended before it listened (${why.signal ?? why.code}).`;
        return this.#started.reject(new WorkerError(reason));
      }
      case 'serving':
        return this.#replace({ pid: worker.process.pid, ...why });
      case 'stopping':
        if (hadListened && why.code !== 0) this.#isClean = false;
        if (this.#workers.size === 0) this.#ended.resolve(undefined);
    }
  }

  #replace(facts: Readonly<Record<string, unknown>>): void {
    // Nobody holds the port now: if it was any free one, the next has to ask for this one.
    if (this.#listening.size === 0 && this.#environment)
      this.#environment = { ...this.#environment, PORT: String(this.#port) };
    if (performance.now() > this.#steadyAt) this.#deaths = 0;
    const milliseconds = Math.min(BACKOFF_MS.first * 2 ** this.#deaths++, BACKOFF_MS.most);
    this.#log.error({ ...facts, milliseconds }, 'a worker died and is replaced');
    const replacement = setTimeout(() => {
      this.#replacements.delete(replacement);
      this.#fork();
    }, milliseconds);
    this.#replacements.add(replacement);
  }
}
