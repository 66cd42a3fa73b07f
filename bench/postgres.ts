/** The Postgres that all candidates share, with a database for each. */
import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { openEmbeddedPostgres } from '../src/db/embedded/embedded-postgres.ts';
import { readStat } from './process-tree.ts';

export interface BenchPostgres {
  readonly version: string;
  /** The process id of the postmaster; null for a Postgres that was there before. */
  readonly postmaster: number | null;
  /** Makes an empty database and answers its connection string. */
  makeDatabase(purpose: string): Promise<string>;
  /** Removes what was made. */
  close(): Promise<void>;
}

const SETTINGS = { fsync: 'on', synchronous_commit: 'on' };

/** Starts a Postgres in a temporary directory, with every commit on disk, or uses the one of BENCH_DATABASE_URL. */
export async function openBenchPostgres(existingUrl: string | undefined): Promise<BenchPostgres> {
  const suffix = randomBytes(4).toString('hex');
  const dataDir = join(tmpdir(), `strongroom-bench-${suffix}`);
  const embedded = existingUrl ? null : await openEmbeddedPostgres({ dataDir, settings: SETTINGS });
  const url = existingUrl ?? embedded?.connectionString ?? '';
  const client = new pg.Client({ connectionString: url });
  const made: string[] = [];
  const close = async () => {
    if (!embedded)
      for (const name of made) await client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    await client.end();
    await embedded?.close();
    if (embedded) await rm(dataDir, { recursive: true, force: true });
  };
  try {
    await client.connect();
    const { rows } = await client.query<{ version: string; pid: number }>(
      `SELECT current_setting('server_version') AS version, pg_backend_pid() AS pid`,
    );
    return {
      version: rows[0]?.version ?? '',
      postmaster: embedded ? (readStat(rows[0]?.pid ?? 0)?.parent ?? null) : null,
      async makeDatabase(purpose) {
        const name = `strongroom_bench_${purpose}_${suffix}`;
        await client.query(`CREATE DATABASE ${name}`);
        made.push(name);
        const database = new URL(url);
        database.pathname = `/${name}`;
        return database.href;
      },
      close,
    };
  } catch (error) {
    await close().catch(() => undefined);
    throw error;
  }
}
