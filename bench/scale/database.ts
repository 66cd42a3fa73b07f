import { randomBytes } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { openEmbeddedPostgres } from '../../src/db/embedded/embedded-postgres.ts';

/** A Postgres with a database for each size, and the root key under which their values are. */
export interface Databases {
  readonly rootKey: string;
  /** The connection string of a size's database, which is made if it is not there. */
  of(size: number): Promise<string>;
  /** Stops the server and, unless it is kept, removes all of it. */
  close(): Promise<void>;
}

/** As on a server of its own, whose memory holds the databases; commits reach the disk. */
const SETTINGS = {
  ...{ synchronous_commit: 'on', fsync: 'on', full_page_writes: 'on', shared_buffers: '4GB' },
  ...{ effective_cache_size: '6GB', max_wal_size: '4GB', maintenance_work_mem: '256MB' },
};

/** Opens the databases of `keep`, or new ones in a temporary directory. */
export async function openDatabases(keep: string | null): Promise<Databases> {
  const directory = keep ?? (await mkdtemp(join(tmpdir(), 'strongroom-scale-')));
  await mkdir(directory, { recursive: true });
  // As root, Postgres runs as another user, who has to get in.
  await chmod(directory, 0o711);
  const postgres = await openEmbeddedPostgres({ dataDir: directory, settings: SETTINGS });
  return {
    rootKey: await ensureRootKey(join(directory, 'bench-root-key')),
    of: (size) => ensureDatabase(postgres.connectionString, `scale_${size}`),
    close: async () => {
      await postgres.close();
      if (keep === null) await rm(directory, { recursive: true, force: true });
    },
  };
}

async function ensureRootKey(file: string): Promise<string> {
  const found = await readFile(file, 'utf8').catch(() => undefined);
  if (found !== undefined) return found;
  const made = randomBytes(32).toString('base64');
  await writeFile(file, made, { mode: 0o600 });
  return made;
}

async function ensureDatabase(server: string, name: string): Promise<string> {
  const client = new pg.Client({ connectionString: server });
  await client.connect();
  try {
    const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [name]);
    if (rowCount === 0) await client.query(`CREATE DATABASE ${name}`);
  } finally {
    await client.end();
  }
  const url = new URL(server);
  url.pathname = `/${name}`;
  return url.href;
}
