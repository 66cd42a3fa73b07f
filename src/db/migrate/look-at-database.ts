import pg from 'pg';
import type { Statement } from '../statements.ts';
import { usedRootKeyIds } from '../used-root-keys.ts';
import { type MissingRight, missingRights } from './missing-rights.ts';
import { pendingMigrations } from './pending-migrations.ts';

/** What a start would find. */
export interface DatabaseState {
  readonly missing: readonly MissingRight[];
  /** Names of migrations that a start would apply. */
  readonly pending: readonly string[];
  /** The ids of the root keys that it needs. */
  readonly usedRootKeys: readonly string[];
}

/** The migration that makes the last of the tables that name root keys. */
const KEY_TABLES = '20261123140000_audit';
const CONNECT_MS = 5_000;

/** Looks at a database and changes nothing. Throws where it cannot be reached. */
export async function lookAtDatabase(connectionString: string): Promise<DatabaseState> {
  const client = new pg.Client({ connectionString, connectionTimeoutMillis: CONNECT_MS });
  try {
    await client.connect();
    const missing = await missingRights(client);
    const pending = await pendingMigrations(client);
    const run = async <Row>({ text }: Statement, values: readonly unknown[]) =>
      (await client.query(text, [...values])).rows as Row[];
    const usedRootKeys = pending.includes(KEY_TABLES) ? [] : await usedRootKeyIds(run);
    return { missing, pending, usedRootKeys };
  } finally {
    await client.end().catch(() => undefined);
  }
}
