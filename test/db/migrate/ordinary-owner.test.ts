import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type EmbeddedPostgres, openEmbeddedPostgres } from '../../../src/db/embedded/embedded-postgres.ts';
import { migrate } from '../../../src/db/migrate/migrate.ts';
import { expireAuditEvents } from '../../../src/jobs/expire-audit-events.ts';
import * as doc from '../../e2e/documents.ts';
import { DebianPostgres, missingForDebianPostgres } from '../../support/debian-postgres.ts';
import { regionOfApp } from '../../support/region-of-app.ts';
import { data, type TestApp, testAppOn } from '../../support/test-app.ts';
import { writeOldEvents } from '../../support/write-old-events.ts';

/** A cluster in which nothing of ours was ever installed. */
interface Cluster {
  url(user: string, database: string): string;
  admin(...statements: readonly string[]): Promise<void>;
  stop(): Promise<void>;
}

const PASSWORD = 'owner-of-the-database';

async function newestPostgres(): Promise<Cluster> {
  const dataDir = await mkdtemp(join(tmpdir(), 'strongroom-owner-'));
  const server: EmbeddedPostgres = await openEmbeddedPostgres({ dataDir, settings: { fsync: 'off' } });
  return {
    url: (user, database) => {
      const url = new URL(server.connectionString);
      Object.assign(url, { username: user, password: PASSWORD, pathname: `/${database}` });
      return url.href;
    },
    admin: async (...statements) => {
      const client = new pg.Client({ connectionString: server.connectionString });
      await client.connect();
      for (const statement of statements) await client.query(statement);
      await client.end();
    },
    stop: async () => {
      await server.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

const missing = missingForDebianPostgres();
if (missing) process.stderr.write(`${missing}\n`);
const CLUSTERS = [
  ['PostgreSQL 18', newestPostgres, false],
  ['PostgreSQL 15', () => DebianPostgres.start(), missing !== null],
] as const;

/** Starts the service as this user, writes and reads, and has retention remove what is old. */
async function useAs(url: string): Promise<void> {
  const app = await testAppOn(url, { STRONGROOM_AUDIT_RETENTION_DAYS: '30' });
  const region = await regionOfApp(app);
  try {
    await createAndRead(app, '/app/db');
    await writeOldEvents(region, 'old', [90, 80, 1], new Date());
    await expireAuditEvents([region], new Date(), 30);
    const { rows } = await app.database.query<{ sequence: number }>(
      "SELECT sequence::int FROM audit_event WHERE organisation = 'old'",
    );
    expect(rows).toEqual([{ sequence: 3 }]);
    for (const role of ['NONE', 'strongroom_service'])
      await expect(app.database.query(`SET ROLE ${role}; DELETE FROM audit_event`)).rejects.toThrow(
        /append-only|permission denied/,
      );
  } finally {
    await region.db.close();
    await app.close();
  }
}

async function createAndRead(app: TestApp, path: string): Promise<void> {
  const keys = await app.gql(doc.KMS_KEYS, {});
  const kmsKeyIdentity = keys.data.kmsKeys?.nodes[0]?.identity ?? '';
  const value = { secretString: data('kept') };
  const created = await app.gql(doc.CREATE, { input: { path, kmsKeyIdentity, value } });
  expect(created.data.createSecret?.__typename).toBe('SecretVersionPayload');
  const read = await app.gql(doc.GET, { input: { path } });
  expect(read.data.getSecretValue).toMatchObject({ secretString: data('kept') });
}

describe.each(CLUSTERS)('on %s', (_name, start, isMissing) => {
  let cluster: Cluster;
  beforeAll(async () => {
    if (!isMissing) cluster = await start();
  });
  afterAll(() => (isMissing ? undefined : cluster.stop()));

  const owning = async (user: string, rights = '') => {
    await cluster.admin(
      `CREATE ROLE ${user} LOGIN ${rights} PASSWORD '${PASSWORD}'`,
      `CREATE DATABASE ${user} OWNER ${user}`,
    );
    return cluster.url(user, user);
  };

  test.skipIf(isMissing)(
    'an owner with too few rights is told all that is missing, and changes nothing',
    async () => {
      const url = await owning('stranger');
      await cluster.admin('CREATE DATABASE elsewhere');
      const answer = migrate(cluster.url('stranger', 'elsewhere'));
      await expect(answer).rejects.toThrow(
        [
          'The database user lacks the following.',
          '- the right to create tables: GRANT USAGE, CREATE ON SCHEMA public TO stranger;',
          '- the right to create the schema graphile_worker, the queue of jobs: GRANT CREATE ON DATABASE elsewhere TO stranger;',
          '- the role strongroom_service: CREATE ROLE strongroom_service NOLOGIN; GRANT strongroom_service TO stranger;',
        ].join('\n'),
      );
      await expect(testAppOn(url)).rejects.toThrow(/^The database of region local-1 .*lacks the following/);
    },
  );

  test.skipIf(isMissing)('an owner with CREATEROLE and no more installs and runs the service', async () => {
    await useAs(await owning('maker', 'CREATEROLE'));
  });

  test.skipIf(isMissing)('a database that cannot be written is told as such', async () => {
    const url = await owning('reader', 'CREATEROLE');
    await cluster.admin('ALTER ROLE reader SET default_transaction_read_only = on');
    await expect(migrate(url)).rejects.toThrow('- a database that can be written: Connect to the primary');
  });

  test.skipIf(isMissing)(
    'a migration that fails is named with SQLSTATE and words, and the next start goes on',
    async () => {
      const url = await owning('stumbling');
      await cluster.admin('GRANT strongroom_service TO stumbling');
      const client = new pg.Client({ connectionString: url });
      await client.connect();
      // Nothing that Prisma looks at: so the first migration begins, and ends at it.
      await client.query('CREATE FUNCTION refuse_audit_change() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$');
      const words = 'Migration 20261123000000_first_release failed with SQLSTATE 42723: ';
      await expect(migrate(url)).rejects.toThrow(words);
      await expect(migrate(url)).rejects.toThrow(words);
      await client.query('DROP FUNCTION refuse_audit_change()');
      await client.end();
      expect(await migrate(url)).toContain('20261123140000_audit');
    },
  );

  test.skipIf(isMissing)(
    'an owner without it does, once an administrator has made and granted the role',
    async () => {
      const url = await owning('plain');
      await expect(migrate(url)).rejects.toThrow(
        '- membership of the role strongroom_service: GRANT strongroom_service TO plain;',
      );
      await cluster.admin('GRANT strongroom_service TO plain');
      await useAs(url);
    },
  );

  test.skipIf(isMissing)(
    'what one owner installed is refused to another, who is told whose it is',
    async () => {
      await cluster.admin('CREATE DATABASE shared', 'GRANT ALL ON DATABASE shared TO plain');
      await migrate(cluster.url('maker', 'maker'));
      await expect(migrate(cluster.url('plain', 'maker'))).rejects.toThrow(
        '- ownership of the tables: Connect as maker, or GRANT maker TO plain;',
      );
    },
  );
});
