import { RequestError } from '../../errors.ts';

/** The longest that a timer of Node's can run. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** One stream of a gateway: it sleeps until there may be something to read, or until it is to end. */
export class Follower {
  readonly #signal: AbortSignal;
  #isWoken = false;
  #continue: (() => void) | null = null;

  /** `signal` ends it: with the reason for the client if that is a RequestError, else because nobody is there to be told. */
  constructor(signal: AbortSignal) {
    this.#signal = signal;
    signal.addEventListener('abort', () => this.wake(), { once: true });
  }

  wake(): void {
    this.#isWoken = true;
    this.#continue?.();
  }

  /** Waits until it is woken, or was since the last wait, but no longer than the time given. */
  async wait(milliseconds: number): Promise<void> {
    if (!this.#isWoken) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.min(Math.max(milliseconds, 0), MAX_TIMER_MS));
        this.#continue = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#continue = null;
    this.#isWoken = false;
  }

  /** Whether somebody is there to be told more. Throws the reason why the stream ends, where the client is to know it. */
  goesOn(): boolean {
    if (!this.#signal.aborted) return true;
    if (this.#signal.reason instanceof RequestError) throw this.#signal.reason;
    return false;
  }
}
