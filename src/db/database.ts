import { setTimeout as sleep } from 'node:timers/promises';
import { PrismaPg } from '@prisma/adapter-pg';
import { parseIntoClientConfig } from 'pg-connection-string';
import { Prisma, PrismaClient } from './generated/client.ts';
import { LOCK_TIMEOUT_MS, Statements } from './statements.ts';
import type { Transaction } from './transaction.ts';

/** The role that migrations make: it may insert and select audit events, not change them. */
const SERVICE_ROLE = 'strongroom_service';

const PRISMA_CONNECTIONS = 8;
const READ_CONNECTIONS = 4;
const WRITE_CONNECTIONS = 4;
/** Of one `Database`. */
export const MAX_CONNECTIONS = PRISMA_CONNECTIONS + READ_CONNECTIONS + WRITE_CONNECTIONS;
const TRANSACTION_WAIT_MS = 15_000;
const TRANSACTION_TIMEOUT_MS = 20_000;
const ATTEMPTS = 4;

/** The database of one region. */
export class Database {
  readonly client: PrismaClient;
  /** For reads of values. */
  readonly statements: Statements;
  /** For transactions of writes, which may wait for locks: a pool of their own, so that no read waits behind them. */
  readonly writes: Statements;

  constructor(connectionString: string, onConnectionError: (error: Error) => void = () => undefined) {
    const config = parseIntoClientConfig(connectionString);
    const settings = {
      role: SERVICE_ROLE,
      // The adapter writes times without their zone: any other session zone would shift them.
      timezone: 'UTC',
      lock_timeout: `${LOCK_TIMEOUT_MS}ms`,
      statement_timeout: '15s',
      idle_in_transaction_session_timeout: '30s',
    };
    const options = Object.entries(settings).map(([name, value]) => `-c ${name}=${value}`);
    const pool = {
      ...config,
      options: [config.options ?? '', ...options].join(' ').trim(),
      max: PRISMA_CONNECTIONS,
      connectionTimeoutMillis: TRANSACTION_WAIT_MS,
      // Where nothing comes back at all: Postgres keeps its own, shorter times.
      query_timeout: TRANSACTION_TIMEOUT_MS,
      keepAlive: true,
    };
    this.statements = new Statements({ ...pool, max: READ_CONNECTIONS }, onConnectionError);
    this.writes = new Statements({ ...pool, max: WRITE_CONNECTIONS }, onConnectionError);
    this.client = new PrismaClient({
      adapter: new PrismaPg(pool, { onPoolError: onConnectionError, onConnectionError }),
      errorFormat: 'minimal',
      transactionOptions: { maxWait: TRANSACTION_WAIT_MS, timeout: TRANSACTION_TIMEOUT_MS },
    });
  }

  /** Runs `work` in one READ COMMITTED transaction; again, a few times, when Postgres undid it for another's sake. */
  async transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.client.$transaction(work);
      } catch (error) {
        if (!isRetriable(error) || attempt === ATTEMPTS) throw error;
        await sleep(5 * 2 ** attempt * Math.random());
      }
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.client.$disconnect(), this.statements.close(), this.writes.close()]);
  }
}

/** Serialisation failure or deadlock: Postgres undid the transaction, and it may be run again. */
function isRetriable(error: unknown): boolean {
  if (!(error instanceof Prisma.PrismaClientKnownRequestError)) return false;
  if (error.code === 'P2034') return true;
  const driver = error.meta?.['driverAdapterError'] as { cause?: { kind?: string } } | undefined;
  return driver?.cause?.kind === 'TransactionWriteConflict';
}

/** A row like this is there already: the unique index decided, and the statement was undone. */
export function isUniqueViolation(error: unknown): boolean {
  return error instanceof Prisma.PrismaClientKnownRequestError && error.code === 'P2002';
}
