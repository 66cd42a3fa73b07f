import { RequestError } from '../errors.ts';
import type { ReadOutcome } from './read-values.ts';
import { type Reading, readTogether } from './read-together.ts';
import type { Region } from './request-context.ts';

interface Waiting {
  readonly since: number;
  readonly reading: Reading;
  readonly resolve: (outcomes: readonly ReadOutcome[]) => void;
  readonly reject: (error: unknown) => void;
}

/** Who has waited so long for the transactions before is told so: the database cannot keep up, or does not answer. */
const MAX_WAIT_MS = 12_000;
/** Values a transaction, at most: one batch is never split. */
const MAX_VALUES = 200;

/**
 * Group commit of reads: while a transaction of an organisation's reads is under way, others wait, and then go together
 * in the next. The chain's head lets one at a time through anyway, and a commit for all costs what one for each would.
 */
export class ReadGroups {
  /** By organisation, while a transaction of its reads is under way. */
  readonly #waiting = new Map<string, Waiting[]>();

  /** The outcomes, once they are committed. Throws `RemoteCallNeeded` as a transaction of its own would. */
  join(region: Region, reading: Reading): Promise<readonly ReadOutcome[]> {
    const { organisation } = reading.ctx.principal;
    return new Promise((resolve, reject) => {
      const waiting = this.#waiting.get(organisation);
      const one = { since: performance.now(), reading, resolve, reject };
      if (waiting) waiting.push(one);
      else {
        this.#waiting.set(organisation, [one]);
        void this.#work(region, organisation);
      }
    });
  }

  async #work(region: Region, organisation: string): Promise<void> {
    // Whoever asks in the same turn goes along.
    await Promise.resolve();
    for (;;) {
      const waiting = this.#waiting.get(organisation) ?? [];
      if (waiting.length === 0) break;
      const group = takeGroup(waiting).filter(isInTime);
      if (group.length === 0) continue;
      try {
        const results = await readTogether(
          region,
          group.map(({ reading }) => reading),
        );
        for (const [index, { resolve, reject }] of group.entries()) {
          const result = results[index];
          if (!result || result instanceof Error) reject(result);
          else resolve(result);
        }
      } catch (error) {
        for (const { reject } of group) reject(error);
      }
    }
    this.#waiting.delete(organisation);
  }
}

function isInTime({ since, reject }: Waiting): boolean {
  if (performance.now() - since <= MAX_WAIT_MS) return true;
  reject(new RequestError('SERVICE_UNAVAILABLE', 'The database does not answer in time; try again.'));
  return false;
}

function takeGroup(waiting: Waiting[]): readonly Waiting[] {
  let values = 0;
  const end = waiting.findIndex(({ reading }, index) => {
    values += reading.requests.length;
    return index > 0 && values > MAX_VALUES;
  });
  return waiting.splice(0, end === -1 ? waiting.length : end);
}
