/** The tables of the service, filled as a thousand calls of createSecret would have. */
import pg from 'pg';
import { migrate } from '../../src/db/migrate/migrate.ts';
import { ORGANISATION, type BenchSecret } from '../dataset.ts';

export async function seedPut(connectionString: string, secrets: readonly BenchSecret[]): Promise<void> {
  await migrate(connectionString);
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    await client.query('BEGIN');
    await client.query(
      `INSERT INTO kms_key (organisation, identity, project, name, key_type, provider, latest_version, created_at,
        created_by_subject, created_by_issuer)
      VALUES ($1, 'key-1', '', 'default', 'AES256_GCM96', 'local', 1, now(), 'admin', 'https://bench.example.com')`,
      [ORGANISATION],
    );
    await client.query(
      `INSERT INTO secret (organisation, id, project, path, kms_key_identity, labels, annotations, latest_version,
        current_version, object_version, created_at, created_by_subject, created_by_issuer, updated_at)
      SELECT $1, gen_random_uuid(), '', path, 'key-1', '{}', '{}', 1, 1, 1, now(), 'admin', 'https://bench.example.com', now()
      FROM unnest($2::text[]) AS path`,
      [ORGANISATION, secrets.map(({ path }) => path)],
    );
    await client.query(
      `INSERT INTO secret_version (organisation, secret_id, number, value_format, kms_key_identity, kms_key_version,
        wrapped_data_key, ciphertext, created_at, created_by_subject, created_by_issuer)
      SELECT organisation, id, 1, 'STRING', 'key-1', 1, decode(repeat('ab', 61), 'hex'), decode(repeat('ab', 96), 'hex'),
        now(), 'admin', 'https://bench.example.com' FROM secret`,
    );
    await client.query(`INSERT INTO audit_head VALUES ($1, 0, decode(repeat('ab', 32), 'hex'))`, [
      ORGANISATION,
    ]);
    await client.query('COMMIT');
  } finally {
    await client.end();
  }
}
