import { setImmediate } from 'node:timers/promises';
import { RequestError } from '../../errors.ts';
import type { ReadOutcome } from '../context/reads.ts';
import type { Region, Reading, Reads } from '../context/request-context.ts';
import { readTogether } from './read-together.ts';

interface Waiting {
  readonly since: number;
  readonly reading: Reading;
  readonly resolve: (outcomes: readonly ReadOutcome[]) => void;
  readonly reject: (error: unknown) => void;
}

/** Who has waited so long for the groups before is told so: the database cannot keep up, or does not answer. */
const MAX_WAIT_MS = 12_000;
/** Values a group, at most: one batch is never split. */
const MAX_VALUES = 200;

/**
 * Group commit of reads: while a group of an organisation's reads is being opened, others wait, and then go together in the
 * next, which is opened while this one is recorded. The chain lets one at a time through anyway, and a commit for all costs
 * what one for each would.
 */
export class ReadGroups implements Reads {
  /** By organisation, while a group of its reads is being opened. */
  readonly #waiting = new Map<string, Waiting[]>();
  /** By organisation, until the last group of its reads is recorded. */
  readonly #recorded = new Map<string, Promise<void>>();

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
    for (;;) {
      // Whoever has asked by now goes along, whose request has arrived but was not yet looked at too.
      await setImmediate();
      const waiting = this.#waiting.get(organisation) ?? [];
      if (waiting.length === 0) break;
      const taken = takeGroup(waiting);
      for (const late of taken.filter((one) => !isInTime(one))) late.reject(tooLate());
      const group = taken.filter(isInTime);
      if (group.length > 0) await this.#begin(region, organisation, group);
    }
    this.#waiting.delete(organisation);
  }

  /** Ends when the group begins to be recorded: the next can be opened meanwhile, and no more than that. */
  #begin(region: Region, organisation: string, group: readonly Waiting[]): Promise<void> {
    const before = this.#recorded.get(organisation) ?? Promise.resolve();
    return new Promise((begun) => {
      const readings = group.map(({ reading }) => reading);
      const results = readTogether(region, readings, async () => {
        await before;
        begun();
        if (!group.every(isInTime)) throw tooLate();
      });
      const recorded = results.then(ignore, ignore).finally(() => {
        begun();
        if (this.#recorded.get(organisation) === recorded) this.#recorded.delete(organisation);
      });
      this.#recorded.set(organisation, recorded);
      void deliver(group, results);
    });
  }
}

function ignore(): void {
  // Who waits for a group's turn to be over does not care how it ended.
}

/** Tells each that waits what came of its own reading, once the next group is on its way: Postgres need not wait for that. */
async function deliver(
  group: readonly Waiting[],
  results: Promise<readonly (readonly ReadOutcome[] | Error)[]>,
): Promise<void> {
  try {
    const settled = await results;
    await setImmediate();
    for (const [index, { resolve, reject }] of group.entries()) {
      const result = settled[index];
      if (!result || result instanceof Error) reject(result);
      else resolve(result);
    }
  } catch (error) {
    for (const { reject } of group) reject(error);
  }
}

function isInTime({ since }: Waiting): boolean {
  return performance.now() - since <= MAX_WAIT_MS;
}

function tooLate(): RequestError {
  return new RequestError('SERVICE_UNAVAILABLE', 'The database does not answer in time; try again.');
}

function takeGroup(waiting: Waiting[]): readonly Waiting[] {
  let values = 0;
  const end = waiting.findIndex(({ reading }, index) => {
    values += reading.requests.length;
    return index > 0 && values > MAX_VALUES;
  });
  return waiting.splice(0, end === -1 ? waiting.length : end);
}
