import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { Transaction } from './transaction.ts';

/** SQL that is prepared on each connection when it is first run there. */
export interface Statement {
  readonly name: string;
  readonly text: string;
}

/** Runs a statement; the parameters are as `pg` takes them, arrays in Postgres's own notation. */
export type Run = <Row>(statement: Statement, values: readonly unknown[]) => Promise<readonly Row[]>;

/** Runs statements through Prisma, in its transaction or, with a client, each by itself. */
export function runIn(tx: Transaction): Run {
  return ({ text }, values) => tx.$queryRawUnsafe(text, ...values);
}

const { INT8 } = pg.types.builtins;
const ATTEMPTS = 4;
/** Postgres undid the statement for another's sake: serialization_failure, deadlock_detected. */
const RETRIABLE = ['40001', '40P01'];
/** lock_not_available */
const LOCK_TIMEOUT = '55P03';
const SHORT_LOCK_TIMEOUT_MS = 300;
export const LOCK_TIMEOUT_MS = 10_000;

// Sequences are bigint, as Prisma gives them.
const types: pg.CustomTypesConfig = {
  getTypeParser: (oid, format) =>
    oid === INT8 ? BigInt : (pg.types.getTypeParser(oid, format) as (value: string) => unknown),
};

/**
 * Connections for the few statements that every read of a value runs, or every write of one: prepared, with a plan that is
 * made once, and without what Prisma costs for each. Everything else is Prisma's.
 */
export class Statements {
  readonly #pool: pg.Pool;
  readonly #onConnectionError: (error: Error) => void;

  constructor(config: pg.PoolConfig, onConnectionError: (error: Error) => void) {
    const settings = ['-c plan_cache_mode=force_generic_plan', `-c lock_timeout=${SHORT_LOCK_TIMEOUT_MS}`];
    const options = [config.options ?? '', ...settings].join(' ').trim();
    this.#pool = new pg.Pool({ ...config, options, types });
    this.#pool.on('error', onConnectionError);
    this.#onConnectionError = onConnectionError;
  }

  /** Runs a statement in a transaction of its own, which waits 300 ms for a lock at most; again, a few times, when Postgres undid it for another's sake. */
  readonly run: Run = <Row>(statement: Statement, values: readonly unknown[]) =>
    again(() => query<Row>(this.#pool, statement, values));

  /** Runs `work` in one READ COMMITTED transaction, which waits 10 seconds for a lock, and again in the same cases. */
  transaction<T>(work: (run: Run) => Promise<T>): Promise<T> {
    return again(async () => {
      const client = await this.#pool.connect();
      let failure: Error | undefined;
      // The pool listens to those that it has: an error that nobody hears would end the process.
      client.on('error', this.#onConnectionError);
      try {
        await client.query(`BEGIN; SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS}`);
        const result = await work((statement, values) => query(client, statement, values));
        await client.query('COMMIT');
        return result;
      } catch (error) {
        await client.query('ROLLBACK').catch((lost: unknown) => (failure = lost as Error));
        throw error;
      } finally {
        client.off('error', this.#onConnectionError);
        client.release(failure);
      }
    });
  }

  close(): Promise<void> {
    return this.#pool.end();
  }
}

async function query<Row>(
  on: pg.Pool | pg.PoolClient,
  { name, text }: Statement,
  values: readonly unknown[],
): Promise<readonly Row[]> {
  const { rows } = await on.query({ name, text, values: [...values] });
  return rows as Row[];
}

async function again<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (!RETRIABLE.includes(codeOf(error)) || attempt === ATTEMPTS) throw error;
      await sleep(5 * 2 ** attempt * Math.random());
    }
  }
}

export function isLockTimeout(error: unknown): boolean {
  return codeOf(error) === LOCK_TIMEOUT;
}

function codeOf(error: unknown): string {
  return (error as { readonly code?: string } | null)?.code ?? '';
}

const QUOTED = /["\\]/;
const ALL_QUOTED = /["\\]/g;

/** An item of an array in Postgres's notation, whatever the text. */
export function literal(text: string | null): string {
  if (text === null) return 'NULL';
  return QUOTED.test(text) ? `"${text.replace(ALL_QUOTED, '\\$&')}"` : `"${text}"`;
}

/** An array in Postgres's notation, of literals or of what needs no quotes: numbers, UUIDs, names of enums. */
export function arrayOf(items: readonly (string | number | bigint | boolean)[]): string {
  return `{${items.join()}}`;
}
