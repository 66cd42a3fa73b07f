import { hash } from 'node:crypto';
import { SecretBytes } from '../envelope/secret-bytes.ts';
import type { KmsKeyReference } from '../provider.ts';

/** How much unwrapped key material may lie in memory, and for how long. */
export interface KeyCacheLimits {
  readonly maxKeys: number;
  readonly maxAgeMs: number;
  readonly maxUses: number;
}

export const KEY_CACHE_LIMITS: KeyCacheLimits = { maxKeys: 10_000, maxAgeMs: 300_000, maxUses: 1_000_000 };

/** Which KMS key the material belongs to, in the words of a notification. */
export function ownerOf({
  organisation,
  identity,
}: Pick<KmsKeyReference, 'organisation' | 'identity'>): string {
  return `${organisation}/${identity}`;
}

/** Names cached material by all that it was unwrapped with: material of a changed row is other material. */
export function materialId(...parts: readonly Uint8Array[]): string {
  return hash('sha256', Buffer.concat(parts), 'base64');
}

interface Kept {
  readonly owner: string;
  readonly key: SecretBytes;
  readonly expiresAt: number;
  usesLeft: number;
}

interface Waiter {
  readonly work: (key: Buffer) => void;
  readonly fail: (error: unknown) => void;
}

/**
 * Unwrapped keys, bounded in number, age and uses. What leaves is zeroed. Whoever misses the same key at the same time
 * waits for one load. `work` runs at once and must not keep the memory that it is given.
 */
export class KeyCache {
  readonly #limits: KeyCacheLimits;
  readonly #now: () => number;
  /** Least recently used first. */
  readonly #kept = new Map<string, Kept>();
  readonly #flights = new Map<string, Waiter[]>();
  readonly #sweep: NodeJS.Timeout;
  #paused = false;
  /** Grows when anything is forgotten: what was being loaded then is not kept. */
  #epoch = 0;

  constructor(limits: KeyCacheLimits = KEY_CACHE_LIMITS, now: () => number = () => performance.now()) {
    this.#limits = limits;
    this.#now = now;
    this.#sweep = setInterval(() => this.sweep(), Math.max(limits.maxAgeMs / 10, 1_000)).unref();
  }

  /** Which forgetting was the last: see `use`. */
  get epoch(): number {
    return this.#epoch;
  }

  get size(): number {
    return this.#kept.size;
  }

  /**
   * Runs `work` on the key. Throws what `load` or `work` throws; a load that failed is tried anew by the next. What was
   * forgotten since `epoch` is not kept: who read a row, and loads what it names later, may have missed that it is gone.
   */
  use<T>(
    owner: string,
    id: string,
    load: () => SecretBytes | Promise<SecretBytes>,
    work: (key: Buffer) => T,
    epoch = this.#epoch,
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const waiter: Waiter = {
        work: (key) => {
          try {
            resolve(work(key));
          } catch (error) {
            reject(error instanceof Error ? error : new Error('Not an error was thrown.'));
          }
        },
        fail: reject,
      };
      const kept = this.#take(id);
      if (kept) return waiter.work(kept.key.reveal());
      const flight = this.#flights.get(id);
      if (flight) return void flight.push(waiter);
      const waiters = [waiter];
      this.#flights.set(id, waiters);
      void this.#fly(owner, id, load, waiters, epoch);
    });
  }

  /** A copy of a key that is kept; the caller zeroes it. */
  copy(id: string): SecretBytes | null {
    const kept = this.#take(id);
    return kept ? new SecretBytes(Buffer.from(kept.key.reveal())) : null;
  }

  /** Drops all material of a KMS key; what is being loaded serves who waits for it and is not kept. */
  forget(owner: string): void {
    this.#epoch++;
    this.#flights.clear();
    for (const [id, kept] of this.#kept) if (kept.owner === owner) this.#drop(id, kept);
  }

  /** Drops everything, and keeps nothing until `resume`. */
  pause(): void {
    this.#paused = true;
    this.clear();
  }

  resume(): void {
    this.#paused = false;
  }

  clear(): void {
    this.#epoch++;
    this.#flights.clear();
    for (const [id, kept] of this.#kept) this.#drop(id, kept);
  }

  /** Drops what is too old. */
  sweep(): void {
    for (const [id, kept] of this.#kept) if (kept.expiresAt <= this.#now()) this.#drop(id, kept);
  }

  close(): void {
    clearInterval(this.#sweep);
    this.pause();
  }

  async #fly(
    owner: string,
    id: string,
    load: () => SecretBytes | Promise<SecretBytes>,
    waiters: readonly Waiter[],
    epoch: number,
  ): Promise<void> {
    const land = () => {
      if (this.#flights.get(id) === waiters) this.#flights.delete(id);
    };
    try {
      const key = await load();
      land();
      for (const { work } of waiters) work(key.reveal());
      if (epoch === this.#epoch && !this.#paused) this.#keep(owner, id, key, waiters.length);
      else key.zero();
    } catch (error) {
      land();
      for (const { fail } of waiters) fail(error);
    }
  }

  #keep(owner: string, id: string, key: SecretBytes, uses: number): void {
    const { maxKeys, maxAgeMs, maxUses } = this.#limits;
    if (uses >= maxUses) return key.zero();
    this.#kept.set(id, { owner, key, expiresAt: this.#now() + maxAgeMs, usesLeft: maxUses - uses });
    for (const [oldest, kept] of this.#kept) {
      if (this.#kept.size <= maxKeys) break;
      this.#drop(oldest, kept);
    }
  }

  /** The key for one more use. The last use allowed leaves it to be zeroed with the next look. */
  #take(id: string): Kept | null {
    const kept = this.#kept.get(id);
    if (!kept) return null;
    if (kept.expiresAt <= this.#now() || kept.usesLeft === 0) {
      this.#drop(id, kept);
      return null;
    }
    kept.usesLeft--;
    this.#kept.delete(id);
    this.#kept.set(id, kept);
    return kept;
  }

  #drop(id: string, kept: Kept): void {
    this.#kept.delete(id);
    kept.key.zero();
  }
}
