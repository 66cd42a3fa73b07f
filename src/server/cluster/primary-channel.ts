import type { ToPrimary, ToWorker } from './messages.ts';

type Received<T extends ToWorker['type']> = Extract<ToWorker, { type: T }>;
type Listeners = { readonly [T in ToWorker['type']]: (message: Received<T>) => void };

/** How long a scrape may wait: the primary gives the workers a second to answer. */
const SCRAPE_MS = 5_000;

/** A worker's end of the channel to the process that started it. When that process ends, Node ends this one. */
export class PrimaryChannel {
  readonly #scrapes = new Map<number, (text: string) => void>();
  #count = 0;

  listen(listeners: Omit<Listeners, 'total-metrics'>): void {
    const all: Listeners = {
      ...listeners,
      'total-metrics': ({ scrape, text }) => this.#scrapes.get(scrape)?.(text),
    };
    process.on('message', <T extends ToWorker['type']>(message: Received<T>) => {
      const listener: (message: Received<T>) => void = all[message.type];
      listener(message);
    });
  }

  /** Resolves when it is on its way, or can go nowhere. */
  send(message: ToPrimary): Promise<void> {
    return new Promise((resolve) => {
      if (!process.send || !process.connected) return resolve();
      process.send(message, undefined, undefined, () => resolve());
    });
  }

  /** The metrics of all workers, as Prometheus reads them. Throws when the primary does not answer. */
  async totalMetrics(): Promise<string> {
    const scrape = ++this.#count;
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const patience = setTimeout(() => reject(new Error('The primary does not answer.')), SCRAPE_MS);
    this.#scrapes.set(scrape, resolve);
    try {
      await this.send({ type: 'total-metrics-wanted', scrape });
      return await promise;
    } finally {
      clearTimeout(patience);
      this.#scrapes.delete(scrape);
    }
  }
}
