import { setTimeout as sleep } from 'node:timers/promises';

/** Waits until `check` answers, at most so long. */
export async function eventually<T>(
  check: () => Promise<T | null | undefined | false>,
  ms = 10_000,
): Promise<T> {
  for (const until = Date.now() + ms; ; await sleep(20)) {
    const found = await check();
    if (found) return found;
    if (Date.now() > until) throw new Error('It did not happen in time.');
  }
}
