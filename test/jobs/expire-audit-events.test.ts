import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { allowAuditRetention } from '../../src/db/audit/allow-audit-retention.ts';
import { expireAuditEvents } from '../../src/jobs/expire-audit-events.ts';
import { signCheckpoints } from '../../src/jobs/sign-checkpoints.ts';
import type { ChainRegion } from '../../src/resolvers/audit/audit-signer.ts';
import * as doc from '../e2e/documents.ts';
import { regionOfApp } from '../support/region-of-app.ts';
import { writeOldEvents } from '../support/write-old-events.ts';
import { data, freshPath, type TestApp, testApp } from '../support/test-app.ts';

const DAYS = 30;
const NOW = new Date();

let app: TestApp;
let region: ChainRegion;
const path = freshPath();

beforeAll(async () => {
  app = await testApp({ STRONGROOM_AUDIT_RETENTION_DAYS: String(DAYS) });
  region = await regionOfApp(app);
  const kmsKeyIdentity = (await app.gql(doc.KMS_KEYS, {})).data.kmsKeys?.nodes[0]?.identity ?? '';
  await app.gql(doc.CREATE, { input: { path, kmsKeyIdentity, value: { secretString: data('v') } } });
});
afterAll(async () => {
  await region.db.close();
  await app.close();
});

const read = async (times: number) => {
  for (let n = 0; n < times; n++) await app.gql(doc.GET, { input: { path } });
};
/** The chain of another organisation, written through the service's own role with times of long ago. */
const writeOld = (organisation: string, days: readonly number[]) =>
  writeOldEvents(region, organisation, days, NOW);
const sequences = async (organisation: string) =>
  (
    await app.database.query<{ sequence: string }>(
      'SELECT sequence FROM audit_event WHERE organisation = $1 ORDER BY sequence',
      [organisation],
    )
  ).rows.map(({ sequence }) => Number(sequence));
const verify = async (organisation: string) =>
  (
    await app.raw(
      '{ verifyAuditChain { valid checked headSequence firstBrokenSequence } }',
      {},
      { organisation },
    )
  ).data['verifyAuditChain'];

test('without a period nothing can be removed, not with the rights of the service, whatever it signs', async () => {
  await writeOld('off', [90, 80]);
  await allowAuditRetention(app.databaseUrl, null);
  try {
    await expect(expireAuditEvents([region], NOW, DAYS)).rejects.toThrow();
    for (const sql of [
      `DELETE FROM audit_event`,
      `SELECT set_config('strongroom.audit_retention', 'on', false); DELETE FROM audit_event`,
      `INSERT INTO audit_retention (days) VALUES (1)`,
      `UPDATE audit_checkpoint SET sequence = 1`,
      `DELETE FROM audit_checkpoint`,
    ]) {
      await expect(region.db.client.$executeRawUnsafe(sql.split(';').at(-1) ?? ''), sql).rejects.toThrow(
        /42501/,
      );
    }
    expect(await sequences('off')).toEqual([1, 2]);
  } finally {
    await allowAuditRetention(app.databaseUrl, DAYS);
  }
});

test('the owner cannot delete an event by accident either', async () => {
  await expect(app.database.query('DELETE FROM audit_event')).rejects.toThrow('append-only');
});

test('the old prefix goes, what is young and what follows it stays, and the rest verifies, again and again', async () => {
  await writeOld('acme-2', [90, 80, 31, 29, 45, 1]);
  for (let n = 0; n < 2; n++) {
    await expireAuditEvents([region], NOW, DAYS);
    expect(await sequences('acme-2')).toEqual([4, 5, 6]);
    expect(await verify('acme-2')).toEqual({
      valid: true,
      checked: 3,
      headSequence: 6,
      firstBrokenSequence: null,
    });
  }
  await writeOld('acme-2', [0]);
  const later = new Date(NOW.getTime() + 15 * 86_400_000);
  // The job's clock may run ahead; the database's decides what may go.
  await expireAuditEvents([region], later, DAYS);
  expect(await sequences('acme-2')).toEqual([4, 5, 6, 7]);
  expect(await verify('acme-2')).toMatchObject({ valid: true, headSequence: 7 });
});

test('a chain may become empty, and goes on from where it was', async () => {
  await writeOld('quiet', [90, 80]);
  await expireAuditEvents([region], NOW, DAYS);
  expect(await sequences('quiet')).toEqual([]);
  expect(await verify('quiet')).toEqual({
    valid: true,
    checked: 0,
    headSequence: 2,
    firstBrokenSequence: null,
  });
  await writeOld('quiet', [0]);
  expect(await sequences('quiet')).toEqual([3]);
  expect(await verify('quiet')).toMatchObject({ valid: true, checked: 1, headSequence: 3 });
  await signCheckpoints([region], NOW);
  expect(await verify('quiet')).toMatchObject({ valid: true });
});

test('a run that was broken off is gone on with, and meanwhile the chain verifies', async () => {
  await writeOld('broken-off', [90, 80, 70, 60, 1]);
  const { AuditSigner } = await import('../../src/resolvers/audit/audit-signer.ts');
  const signer = await AuditSigner.openToSign(region, NOW);
  const { rows } = await app.database.query<{ hash: Buffer }>(
    `SELECT hash FROM audit_event WHERE organisation = 'broken-off' AND sequence = 4`,
  );
  const hash = rows[0]?.hash ?? Buffer.alloc(0);
  await signer.sign({ kind: 'RETENTION', organisation: 'broken-off', sequence: 4n, hash, at: NOW });
  await app.database.query(`SELECT expire_audit_events('broken-off', 2)`);
  expect(await sequences('broken-off')).toEqual([3, 4, 5]);
  expect(await verify('broken-off')).toMatchObject({ valid: true, checked: 1 });
  await expireAuditEvents([region], NOW, DAYS);
  expect(await sequences('broken-off')).toEqual([5]);
});

test('a prefix that does not verify is evidence: it stays, and the others go', async () => {
  await writeOld('tampered', [90, 80, 1]);
  await writeOld('untouched', [90, 80, 1]);
  await app.database.query(`
    ALTER TABLE audit_event DISABLE TRIGGER audit_event_append_only;
    UPDATE audit_event SET actor_subject = 'nobody' WHERE organisation = 'tampered' AND sequence = 1;
    ALTER TABLE audit_event ENABLE TRIGGER audit_event_append_only;`);
  await expect(expireAuditEvents([region], NOW, DAYS)).rejects.toThrow('tampered in local-1');
  expect(await sequences('tampered')).toEqual([1, 2, 3]);
  expect(await sequences('untouched')).toEqual([3]);
});

test('beside writers and readers of the chain no alarm is raised and no event of theirs is lost', async () => {
  const before = (await sequences('acme')).length;
  await writeOld(
    'busy',
    Array.from({ length: 20 }, (_, n) => 90 - n),
  );
  const jobs = async () => {
    for (let n = 0; n < 3; n++) await expireAuditEvents([region], NOW, DAYS).catch(() => undefined);
  };
  const answers: unknown[] = [];
  const check = async () => {
    for (let n = 0; n < 4; n++) answers.push(await verify('busy'));
  };
  await Promise.all([jobs(), read(10), check(), writeOld('busy', [0, 0, 0, 0])]);
  expect(answers).toEqual(answers.map(() => expect.objectContaining({ valid: true }) as unknown));
  expect(await sequences('acme')).toHaveLength(before + 20);
  expect(await sequences('busy')).toEqual([21, 22, 23, 24]);
});

test('an export begins behind the retention checkpoint, which the verifier checks', async () => {
  const script = (name: string) => join(import.meta.dirname, `../../scripts/${name}.ts`);
  const env = {
    ...{ PATH: process.env['PATH'], HOME: process.env['HOME'] },
    ...{ DATABASE_URL: app.databaseUrl, STRONGROOM_DATA_DIR: app.dataDir },
  };
  const run = (name: string, ...args: string[]) =>
    promisify(execFile)(process.execPath, [script(name), ...args], { env });
  const out = join(app.dataDir, 'rest.jsonl');
  await run('audit-export', '--organisation', 'acme-2', '--out', out);
  const [, key = ''] = (await run('audit-public-key')).stdout.trim().split(' ');
  const { stdout } = await run('audit-verify', out, '--public-key', key);
  expect(stdout).toContain('holds, 6 to 7');
});
