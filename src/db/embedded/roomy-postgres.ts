import pg from 'pg';
import { MAX_CONNECTIONS as DATABASE_CONNECTIONS } from '../database.ts';
import { MAX_CONNECTIONS as JOB_CONNECTIONS } from '../job-queue.ts';
import { type EmbeddedPostgres, openEmbeddedPostgres } from './embedded-postgres.ts';
import { EmbeddedPostgresError } from './place.ts';

/** What one gateway opens at most to a region's database; the last one listens for notifications. */
const GATEWAY_CONNECTIONS = DATABASE_CONNECTIONS + JOB_CONNECTIONS + 1;
/** For the start, scripts and psql. */
const OTHER_CONNECTIONS = 40;
/** What Postgres has when nobody says anything. */
const LEAST_CONNECTIONS = 100;

/**
 * Opens the embedded Postgres with room for so many gateways. A server that was left running with less room is started
 * anew. Throws an `EmbeddedPostgresError` where another process uses it, and as `openEmbeddedPostgres` does.
 */
export async function openRoomyPostgres(dataDir: string, gateways: number): Promise<EmbeddedPostgres> {
  const needed = Math.max(LEAST_CONNECTIONS, gateways * GATEWAY_CONNECTIONS + OTHER_CONNECTIONS);
  const open = () => openEmbeddedPostgres({ dataDir, settings: { max_connections: String(needed) } });
  const first = await open();
  if (await hasRoom(first, needed)) return first;
  await first.close();
  const second = await open();
  if (await hasRoom(second, needed)) return second;
  await second.close();
  throw new EmbeddedPostgresError(
    `The embedded Postgres runs for another process, with room for fewer than the ${needed} connections that ` +
      'STRONGROOM_WORKERS asks for: stop the other process, or set DATABASE_URL.',
  );
}

async function hasRoom({ connectionString }: EmbeddedPostgres, needed: number): Promise<boolean> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    const { rows } = await client.query<{ max_connections: string }>('SHOW max_connections');
    return Number(rows[0]?.max_connections) >= needed;
  } finally {
    await client.end();
  }
}
