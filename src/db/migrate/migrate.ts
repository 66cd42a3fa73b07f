import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { migrateJobQueue } from '../job-queue.ts';
import { MigrationError } from './migration-error.ts';
import { MIGRATIONS, shippedMigrations } from './shipped-migrations.ts';
import { missingRights } from './missing-rights.ts';
import { openSchemaEngine } from './schema-engine.ts';

/** Any constant: it keeps gateways that start together from migrating at once. */
const MIGRATION_LOCK = 0x5352_4d47;

/**
 * Applies the migrations that the database lacks, forward only, and returns their names. Checks all rights first. Throws a
 * `MigrationError`, after which nothing is left behind and the next start begins again.
 */
export async function migrate(connectionString: string): Promise<readonly string[]> {
  const guard = new pg.Client({ connectionString });
  await guard.connect();
  try {
    await guard.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
    const missing = await missingRights(guard);
    if (missing.length > 0) throw MigrationError.missing(missing);
    await forgetFailed(guard);
    const applied = await applyMigrations(connectionString, guard);
    await migrateJobQueue(connectionString);
    return applied;
  } finally {
    await guard.end();
  }
}

async function applyMigrations(connectionString: string, guard: pg.Client): Promise<readonly string[]> {
  const pool = new pg.Pool({ connectionString });
  let scriptError: unknown;
  const engine = await openSchemaEngine(pool, (error) => (scriptError = error));
  try {
    const filters = { externalTables: [], externalEnums: [] };
    const output = await engine.applyMigrations({ migrationsList: await readMigrations(), filters });
    return output.appliedMigrationNames;
  } catch (error) {
    const failed = await forgetFailed(guard);
    if (!(scriptError instanceof pg.DatabaseError)) throw MigrationError.refused(error);
    throw MigrationError.failed(failed ?? 'unknown', scriptError.code ?? 'unknown', scriptError.message);
  } finally {
    engine.free();
    await pool.end();
  }
}

/**
 * Marks a migration that began and did not end as rolled back, as `prisma migrate resolve` would, and returns its name. Each
 * script is one transaction, so PostgreSQL has undone it; Prisma alone would refuse every later start (P3009).
 */
async function forgetFailed(guard: pg.Client): Promise<string | null> {
  const { rows: tables } = await guard.query(`SELECT to_regclass('public._prisma_migrations') AS name`);
  if ((tables as { name: string | null }[])[0]?.name == null) return null;
  const { rows } = await guard.query<{ name: string }>(
    `UPDATE public._prisma_migrations SET rolled_back_at = now()
     WHERE finished_at IS NULL AND rolled_back_at IS NULL RETURNING migration_name AS name`,
  );
  return rows[0]?.name ?? null;
}

async function readMigrations() {
  const directories = await shippedMigrations();
  const lockfile = await readFile(join(MIGRATIONS, 'migration_lock.toml'), 'utf8');
  return {
    baseDir: MIGRATIONS,
    lockfile: { path: 'migration_lock.toml', content: lockfile },
    shadowDbInitScript: '',
    migrationDirectories: await Promise.all(directories.map(readMigration)),
  };
}

async function readMigration(directory: string) {
  const value = await readFile(join(MIGRATIONS, directory, 'migration.sql'), 'utf8');
  return {
    path: directory,
    migrationFile: { path: 'migration.sql', content: { tag: 'ok' as const, value } },
  };
}
