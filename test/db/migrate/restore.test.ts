import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import * as doc from '../../e2e/documents.ts';
import { DebianPostgres, missingForDebianPostgres } from '../../support/debian-postgres.ts';
import { data, type TestApp, testAppOn } from '../../support/test-app.ts';

const run = promisify(execFile);
const OPERATIONS = join(import.meta.dirname, '../../../docs/operations.md');
const VERIFY = '{ verifyAuditChain { valid checked } }';

const missing = missingForDebianPostgres();
if (missing) process.stderr.write(`${missing}\n`);
let folder: string;
let old: DebianPostgres;
let fresh: DebianPostgres;

beforeAll(async () => {
  if (missing) return;
  folder = await mkdtemp(join(tmpdir(), 'strongroom-restore-'));
  [old, fresh] = await Promise.all([DebianPostgres.start(), DebianPostgres.start()]);
});
afterAll(async () => {
  if (missing) return;
  await Promise.all([old.stop(), fresh.stop()]);
  await rm(folder, { recursive: true });
});

/** The shell lines of the documentation that hold a text. */
async function documented(text: string): Promise<string> {
  const blocks = (await readFile(OPERATIONS, 'utf8')).matchAll(/```sh\n(.*?)```/gs);
  for (const [, lines = ''] of blocks) if (lines.includes(text)) return lines;
  throw new Error(`docs/operations.md has no lines with ${text}.`);
}

async function shell(server: DebianPostgres, lines: string): Promise<void> {
  const env = { ...process.env, ...server.environment, DATABASE_URL: server.url('strongroom', 'strongroom') };
  await run('sh', ['-eu', '-c', lines], { cwd: folder, env });
}

async function valueOf(app: TestApp): Promise<unknown> {
  return (await app.gql(doc.GET, { input: { path: '/app/db' } })).data.getSecretValue;
}

test.skipIf(missing)(
  'the documented lines restore a dump into a new cluster as an ordinary owner, and the service goes on there',
  async () => {
    await shell(old, await documented('CREATE ROLE strongroom_service'));
    const before = await testAppOn(old.url('strongroom', 'strongroom'));
    const keys = await before.gql(doc.KMS_KEYS, {});
    const kmsKeyIdentity = keys.data.kmsKeys?.nodes[0]?.identity ?? '';
    const input = { path: '/app/db', kmsKeyIdentity, value: { secretString: data('kept') } };
    await before.gql(doc.CREATE, { input });
    expect(await valueOf(before)).toMatchObject({ secretString: data('kept') });
    await before.stop();

    await shell(old, await documented('pg_dump'));
    await shell(fresh, await documented('CREATE ROLE strongroom_service'));
    await shell(fresh, await documented('pg_restore'));

    const after = await before.on(fresh.url('strongroom', 'strongroom'));
    try {
      expect(await valueOf(after)).toMatchObject({ secretString: data('kept') });
      const { verifyAuditChain } = (await after.raw(VERIFY)).data;
      expect(verifyAuditChain).toMatchObject({ valid: true });
      expect((await after.gql(doc.CREATE, { input: { ...input, path: '/app/new' } })).errors).toBeUndefined();
    } finally {
      await after.close();
    }
  },
);
