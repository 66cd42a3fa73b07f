/** There is no place, and enough wait for one already. */
export class NoPlace extends Error {
  override readonly name = 'NoPlace';
}

/** So many may be in at once. Others wait in the order in which they came, and so many of them at most. */
export class Places {
  readonly #most: number;
  readonly #mostWaiting: number;
  readonly #waiting = new Set<() => void>();
  #taken = 0;

  constructor(most: number, mostWaiting: number) {
    this.#most = most;
    this.#mostWaiting = mostWaiting;
  }

  /** Gives a place, and how to leave it, which may be done twice. Rejects with the signal's reason, or `NoPlace`. */
  take(signal: AbortSignal): Promise<() => void> {
    return new Promise((resolve, reject) => {
      const enter = () => {
        signal.removeEventListener('abort', giveUp);
        this.#taken++;
        resolve(this.#leaving());
      };
      const giveUp = () => {
        this.#waiting.delete(enter);
        reject(signal.reason as Error);
      };
      if (this.#taken < this.#most) return enter();
      if (this.#waiting.size >= this.#mostWaiting) return reject(new NoPlace());
      signal.addEventListener('abort', giveUp, { once: true });
      this.#waiting.add(enter);
    });
  }

  #leaving(): () => void {
    let hasLeft = false;
    return () => {
      if (hasLeft) return;
      hasLeft = true;
      this.#taken--;
      const [next] = this.#waiting;
      if (!next) return;
      this.#waiting.delete(next);
      next();
    };
  }
}
