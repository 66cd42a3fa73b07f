import { existsSync } from 'node:fs';
import { Database } from '../src/db/database.ts';
import { openEmbeddedPostgres } from '../src/db/embedded/embedded-postgres.ts';
import { RootKeys } from '../src/kms/keys/root-keys.ts';
import type { ChainRegion } from '../src/resolvers/audit/audit-signer.ts';
import { readConfig } from '../src/server/config/config.ts';
import { openRootKeyFile } from '../src/server/root-key-file.ts';

/** What the user can put right: its message is all that is printed. */
export class UsageError extends Error {}

/**
 * Runs `work` on a region as the environment configures it, beside the service or without it: an embedded Postgres that runs
 * is joined, and stays when this process leaves.
 */
export async function withRegion<T>(
  name: string | undefined,
  work: (region: ChainRegion) => Promise<T>,
): Promise<T> {
  const config = readConfig(process.env);
  const found =
    name === undefined ? config.regions[0] : config.regions.find((region) => region.name === name);
  if (!found)
    throw new UsageError(`--region must be one of ${config.regions.map((region) => region.name).join(', ')}`);
  if (found.databaseUrl === null && !existsSync(config.dataDir)) {
    throw new UsageError(
      `${config.dataDir} is not there: run this where the service runs, or set DATABASE_URL or STRONGROOM_DATA_DIR`,
    );
  }
  const embedded =
    found.databaseUrl === null ? await openEmbeddedPostgres({ dataDir: config.dataDir }) : null;
  try {
    const rootKeys = new RootKeys(found.rootKeys ?? (await openRootKeyFile(config.dataDir, found.name)));
    const db = new Database(found.databaseUrl ?? embedded?.connectionString ?? '');
    try {
      return await work({ name: found.name, db, rootKeys });
    } finally {
      await db.close();
    }
  } finally {
    await embedded?.close();
  }
}

/** Runs a command: what it throws becomes a line on standard error and an exit status. */
export async function command(name: string, run: () => Promise<void>): Promise<void> {
  try {
    await run();
  } catch (error) {
    const code = (error as { code?: unknown } | null)?.code;
    // Of an error that has a code the code is told, not the message: a database quotes what it failed on.
    const told = typeof code !== 'string' || code.startsWith('ERR_PARSE_ARGS');
    const text = told && error instanceof Error ? error.message : `failed (${String(code)})`;
    process.stderr.write(`${name}: ${text}\n`);
    process.exitCode = 1;
  }
}
