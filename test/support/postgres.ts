import { existsSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import type { TestProject } from 'vitest/node';
import { openEmbeddedPostgres } from '../../src/db/embedded/embedded-postgres.ts';
import { migrate } from '../../src/db/migrate/migrate.ts';

declare module 'vitest' {
  interface ProvidedContext {
    readonly postgres: string;
  }
}

export const TEMPLATE = 'strongroom_template';

/** One real Postgres for the whole run, with a migrated database that every test app clones. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const given = process.env['TEST_DATABASE_URL'];
  const dataDir = await mkdtemp(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'strongroom-test-'));
  // As root, Postgres runs as another user, who has to get in.
  await chmod(dataDir, 0o711);
  // Nothing of it has to outlive the run: an index over a million rows is not written twice.
  const settings = {
    ...{ fsync: 'off', max_connections: '300', synchronous_commit: 'off', full_page_writes: 'off' },
    ...{ wal_level: 'minimal', max_wal_senders: '0', max_wal_size: '4GB' },
  };
  const embedded = given ? null : await openEmbeddedPostgres({ dataDir, settings });
  const server = given ?? embedded?.connectionString ?? '';
  const admin = new pg.Client({ connectionString: server });
  await admin.connect();
  await admin.query(`DROP DATABASE IF EXISTS ${TEMPLATE}`);
  await admin.query(`CREATE DATABASE ${TEMPLATE}`);
  await admin.end();
  await migrate(databaseUrl(server, TEMPLATE));
  project.provide('postgres', server);
  return async () => {
    await embedded?.close();
    await rm(dataDir, { recursive: true, force: true });
  };
}

/** The same server, another database. */
export function databaseUrl(server: string, database: string): string {
  const url = new URL(server);
  url.pathname = `/${database}`;
  return url.href;
}
