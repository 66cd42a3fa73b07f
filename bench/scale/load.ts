import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import type { KmsKeyGeneration, KmsKeyReference } from '../../src/kms/provider.ts';
import { ORGANISATION } from '../dataset.ts';
import { Progress } from './progress.ts';
import { COLUMNS, REGION, type Rows, type Table } from './sealed-rows.ts';
import type { SealJob, SealRange } from './seal-worker.ts';

const CHUNK = 10_000;
const WORKERS = 2;

/**
 * Fills a migrated database with the secrets of a tree of `size`, sealed under the organisation's one KMS key; what an
 * interrupted load has left is completed. Needs the rights of a superuser.
 */
export async function load(connectionString: string, size: number, rootKey: string): Promise<void> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    await client.query('CREATE SCHEMA IF NOT EXISTS bench');
    await client.query('CREATE TABLE IF NOT EXISTS bench.loaded (from_position integer PRIMARY KEY)');
    const { rows } = await client.query<{ from_position: number }>('SELECT from_position FROM bench.loaded');
    const done = new Set(rows.map((row) => row.from_position));
    const starts = Array.from({ length: Math.ceil(size / CHUNK) }, (_, index) => index * CHUNK);
    const left = starts.filter((start) => !done.has(start));
    if (left.length > 0) await loadPositions(client, size, rootKey, { left, total: starts.length });
    await warm(client);
  } finally {
    await client.end();
  }
}

async function loadPositions(
  client: pg.Client,
  size: number,
  rootKey: string,
  { left, total }: { readonly left: readonly number[]; readonly total: number },
): Promise<void> {
  // Foreign keys hold by how the rows are made: checking them row by row takes longer than loading them.
  await client.query("SET session_replication_role = 'replica'; SET synchronous_commit = off");
  const progress = new Progress(`loading ${size.toLocaleString('en')} secrets`, total);
  const done = total - left.length;
  progress.show(done);
  await loadChunks(client, left, await sealJob(client, size, rootKey), (count) =>
    progress.show(done + count),
  );
  // As autovacuum would, by and by.
  await client.query('VACUUM (ANALYZE)');
  await client.query('CHECKPOINT');
}

/** What a server that has run for a day has in memory: else the first reads of each page would be measured. */
async function warm(client: pg.Client): Promise<void> {
  await client.query('CREATE EXTENSION IF NOT EXISTS pg_prewarm SCHEMA bench');
  await client.query(
    `SELECT bench.pg_prewarm(oid::regclass) FROM pg_class
     WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'i')`,
  );
}

async function sealJob(client: pg.Client, size: number, rootKey: string): Promise<SealJob> {
  const { rows } = await client.query<KmsKeyReference & KmsKeyGeneration>(
    `SELECT k.organisation, $2 AS region, k.project, k.identity, k.key_type AS "keyType",
       k.external_key_id AS "externalKeyId", v.number, v.wrapped_material AS "wrappedMaterial",
       v.root_key_id AS "rootKeyId", v.external_version AS "externalVersion"
     FROM kms_key k JOIN kms_key_version v ON v.organisation = k.organisation AND v.kms_key_identity = k.identity
     WHERE k.organisation = $1`,
    [ORGANISATION, REGION],
  );
  const [key] = rows;
  if (!key) throw new Error('The organisation has no KMS key.');
  return { size, rootKey, reference: key, generation: key, now: Date.now() };
}

/** Each worker seals the next chunk while one before it is copied; chunks are committed one by one. */
async function loadChunks(
  client: pg.Client,
  starts: readonly number[],
  job: SealJob,
  loaded: (count: number) => void,
): Promise<void> {
  const tables = await existingTables(client);
  const pending = [...starts];
  let count = 0;
  let copying = Promise.resolve();
  const work = async () => {
    const worker = new Worker(new URL('./seal-worker.ts', import.meta.url), { workerData: job });
    try {
      for (let start = pending.shift(); start !== undefined; start = pending.shift()) {
        const from = start;
        worker.postMessage({ from, to: Math.min(from + CHUNK, job.size) } satisfies SealRange);
        const [rows] = (await once(worker, 'message')) as [Rows];
        copying = copying.then(() => copyChunk(client, tables, rows, from)).then(() => loaded(++count));
        await copying;
      }
    } finally {
      await worker.terminate();
    }
  };
  await Promise.all(Array.from({ length: WORKERS }, work));
}

/** Those tables whose columns are there: times of access may be kept otherwise. */
async function existingTables(client: pg.Client): Promise<readonly Table[]> {
  const { rows } = await client.query<{ name: string; columns: string[] }>(
    `SELECT table_name AS name, array_agg(column_name::text) AS columns FROM information_schema.columns
     WHERE table_schema = 'public' GROUP BY table_name`,
  );
  const known = new Map(rows.map(({ name, columns }) => [name, new Set(columns)]));
  return (Object.keys(COLUMNS) as Table[]).filter((table) =>
    COLUMNS[table].split(', ').every((column) => known.get(table)?.has(column)),
  );
}

async function copyChunk(
  client: pg.Client,
  tables: readonly Table[],
  rows: Rows,
  start: number,
): Promise<void> {
  await client.query('BEGIN');
  for (const table of tables) {
    const stream = client.query(copyFrom(`COPY ${table} (${COLUMNS[table]}) FROM STDIN`));
    stream.end(rows[table]);
    await once(stream, 'finish');
  }
  await client.query('INSERT INTO bench.loaded VALUES ($1)', [start]);
  await client.query('COMMIT');
}
