import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { migrateJobQueue } from '../job-queue.ts';
import { openSchemaEngine } from './schema-engine.ts';

const MIGRATIONS = join(import.meta.dirname, '../../../prisma/migrations');

/** Any constant: it keeps gateways that start together from migrating at once. */
const MIGRATION_LOCK = 0x5352_4d47;

/**
 * Applies the migrations that the database lacks, forward only, and answers their names. Needs the right to make
 * tables and, the first time, the role `strongroom_service`. Throws when a migration fails or was edited since.
 */
export async function migrate(connectionString: string): Promise<readonly string[]> {
  const guard = new pg.Client({ connectionString });
  await guard.connect();
  try {
    await guard.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
    const pool = new pg.Pool({ connectionString });
    const engine = await openSchemaEngine(pool);
    try {
      const filters = { externalTables: [], externalEnums: [] };
      const output = await engine.applyMigrations({ migrationsList: await readMigrations(), filters });
      await migrateJobQueue(connectionString);
      return output.appliedMigrationNames;
    } finally {
      engine.free();
      await pool.end();
    }
  } finally {
    await guard.end();
  }
}

async function readMigrations() {
  const entries = await readdir(MIGRATIONS, { withFileTypes: true });
  const directories = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  const lockfile = await readFile(join(MIGRATIONS, 'migration_lock.toml'), 'utf8');
  return {
    baseDir: MIGRATIONS,
    lockfile: { path: 'migration_lock.toml', content: lockfile },
    shadowDbInitScript: '',
    migrationDirectories: await Promise.all(directories.sort().map(readMigration)),
  };
}

async function readMigration(directory: string) {
  const value = await readFile(join(MIGRATIONS, directory, 'migration.sql'), 'utf8');
  return {
    path: directory,
    migrationFile: { path: 'migration.sql', content: { tag: 'ok' as const, value } },
  };
}
