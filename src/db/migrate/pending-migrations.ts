import type pg from 'pg';
import { shippedMigrations } from './shipped-migrations.ts';

/** The names of the migrations that the database lacks, in order; all of them where nothing is installed yet. */
export async function pendingMigrations(client: pg.ClientBase): Promise<readonly string[]> {
  const names = await shippedMigrations();
  const { rows } = await client.query<{ table: string | null }>(
    `SELECT to_regclass('public._prisma_migrations')::text AS table`,
  );
  if (!rows[0]?.table) return names;
  const { rows: applied } = await client.query<{ name: string }>(
    'SELECT migration_name AS name FROM public._prisma_migrations WHERE finished_at IS NOT NULL',
  );
  const known = new Set(applied.map(({ name }) => name));
  return names.filter((name) => !known.has(name));
}
