/**
 * The least that a write of a value can be: bare pg transactions that leave the rows which putSecretValue leaves, in the
 * service's own tables. No HTTP, no rights, no keys; the bytes are random and of the usual sizes.
 */
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import pg from 'pg';
import { Measurement, type MeasuredLoad } from '../load/measurement.ts';
import { ORGANISATION } from '../dataset.ts';
import type { PutSpec } from './put-spec.ts';

const ISSUER = 'https://bench.example.com';

process.once('disconnect', () => process.exit());
process.once('message', (spec) => {
  run(spec as PutSpec).then(
    (result) => process.send?.(result),
    (error: unknown) => {
      process.stderr.write(`${error instanceof Error ? (error.stack ?? '') : 'pg-put failed'}\n`);
      process.exit(1);
    },
  );
});

async function run(spec: PutSpec): Promise<MeasuredLoad> {
  const pool = new pg.Pool({ connectionString: spec.connectionString, max: 16 });
  // The service has somebody who listens, to whom Postgres passes every notice.
  const listener = new pg.Client({ connectionString: spec.connectionString });
  await listener.connect();
  await listener.query('LISTEN strongroom_secret_events');
  const { rows } = await pool.query<{ id: string; path: string }>('SELECT id, path FROM secret ORDER BY id');
  const measurement = new Measurement();
  let next = 0;
  let stopped = false;
  const work = async (subject: string) => {
    while (!stopped) {
      const secret = rows[next++ % rows.length];
      const startedAt = performance.now();
      try {
        await put(pool, subject, secret?.id ?? '', secret?.path ?? '');
        measurement.answered(startedAt);
      } catch (error) {
        measurement.failed(error instanceof Error ? error.message : 'not an error');
      }
    }
  };
  const workers = Array.from({ length: spec.workers }, (_, index) => work(`worker-${index}`));
  const result = await measurement.take(spec.timing, { ...spec.watched, service: process.pid });
  stopped = true;
  await Promise.all(workers);
  await listener.end();
  await pool.end();
  return result;
}

async function put(pool: pg.Pool, subject: string, id: string, path: string): Promise<void> {
  const client = await pool.connect();
  const query = <Row extends pg.QueryResultRow>(name: string, text: string, values: unknown[]) =>
    client.query<Row>({ name, text, values });
  const at = new Date();
  try {
    await client.query('BEGIN');
    const secret = await query<{ latest_version: number }>(
      'lock-secret',
      'SELECT * FROM secret WHERE organisation = $1 AND id = $2 AND deleted_at IS NULL FOR UPDATE',
      [ORGANISATION, id],
    );
    const version = (secret.rows[0]?.latest_version ?? 0) + 1;
    await query(
      'insert-version',
      `INSERT INTO secret_version (organisation, secret_id, number, value_format, kms_key_identity, kms_key_version,
        wrapped_data_key, ciphertext, created_at, created_by_subject, created_by_issuer)
      VALUES ($1, $2, $3, 'STRING', 'key-1', 1, $4, $5, $6, $7, $8)`,
      [ORGANISATION, id, version, randomBytes(61), randomBytes(96), at, subject, ISSUER],
    );
    await query(
      'update-secret',
      'UPDATE secret SET latest_version = $3, current_version = $3, updated_at = $4 WHERE organisation = $1 AND id = $2',
      [ORGANISATION, id, version, at],
    );
    const head = await query<{ sequence: string; hash: Buffer }>(
      'lock-head',
      'SELECT sequence, hash FROM audit_head WHERE organisation = $1 FOR UPDATE',
      [ORGANISATION],
    );
    const sequence = BigInt(head.rows[0]?.sequence ?? 0);
    const first = head.rows[0]?.hash ?? Buffer.alloc(32);
    const second = createHash('sha256').update(first).update(path).digest();
    const last = createHash('sha256').update(second).update(path).digest();
    await query(
      'insert-events',
      `INSERT INTO audit_event (organisation, sequence, id, at, action, outcome, project, region, actor_subject,
        actor_issuer, actor_roles, resource_type, resource, resource_id, version, caused_by, request_id, source_ip,
        user_agent, details, previous_hash, hash)
      VALUES ($1, $2, $3, $4, 'secret.putValue', 'SUCCESS', '', 'local-1', $5, $6, $7, 'secret', $8, $9, $10, NULL, $11,
          '127.0.0.1', 'strongroom-bench', '{}', $12, $13),
        ($1, $14, $15, $4, 'kms.encrypt', 'SUCCESS', '', 'local-1', $5, $6, $7, 'kms-key', 'key-1', 'key-1', 1, $2, $11,
          '127.0.0.1', 'strongroom-bench', '{}', $13, $16)`,
      [
        ...[ORGANISATION, sequence + 1n, randomUUID(), at, subject, ISSUER, ['secrets:FullAccess'], path, id],
        ...[version, randomUUID(), first, second, sequence + 2n, randomUUID(), last],
      ],
    );
    await query('update-head', 'UPDATE audit_head SET sequence = $2, hash = $3 WHERE organisation = $1', [
      ...[ORGANISATION, sequence + 2n, last],
    ]);
    await query('notify', 'SELECT pg_notify($1, $2)', ['strongroom_secret_events', ORGANISATION]);
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  } finally {
    client.release();
  }
}
