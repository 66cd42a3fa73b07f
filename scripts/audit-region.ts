import { existsSync } from 'node:fs';
import { Database } from '../src/db/database.ts';
import { openEmbeddedPostgres } from '../src/db/embedded/embedded-postgres.ts';
import { RootKeys } from '../src/kms/keys/root-keys.ts';
import type { ChainRegion } from '../src/resolvers/audit/audit-signer.ts';
import { readConfig } from '../src/server/config/config.ts';
import { openRootKeyFile } from '../src/server/root-key-file.ts';
import { UsageError } from './command-line.ts';

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
