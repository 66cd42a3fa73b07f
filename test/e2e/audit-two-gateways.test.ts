import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { kmsKeysOf, requestTask } from '../support/kms-keys.ts';
import type { AuditEvent } from '../../src/audit/event.ts';
import { record } from '../../src/audit/record.ts';
import { regionOfApp } from '../support/region-of-app.ts';
import { ADMIN, type TestApp, type TestCaller, testApp } from '../support/test-app.ts';

/** What is done with the log beside two gateways that both write to it all the while. */
const OLD: TestCaller = { ...ADMIN, organisation: 'old' };
const OLD_EVENTS = 5;

let app: TestApp;
let peer: TestApp;
let path: string;
const writing = { goesOn: true, failures: [] as unknown[] };
let writers: Promise<unknown>;

beforeAll(async () => {
  app = await testApp({ STRONGROOM_AUDIT_RETENTION_DAYS: '30' });
  peer = await app.peer();
  await writeOld();
  const keys = kmsKeysOf(app, OLD);
  ({ path } = await keys.secretUnder(await keys.created(), 'v0'));
  writers = Promise.all([app, peer].map(write));
});
afterAll(async () => {
  writing.goesOn = false;
  await writers;
  await peer.close();
  await app.close();
});

/** The first events of the chain, of 60 days ago: the database lets none go that is younger than its period. */
async function writeOld(): Promise<void> {
  const region = await regionOfApp(app);
  const actor = {
    ...{ organisation: 'old', project: '', subject: 'old', issuer: 'https://id.example', roles: [] },
    ...{ requestId: 'r', sourceIp: null, userAgent: null },
  };
  const event: AuditEvent = {
    action: 'secret.update',
    ...{ outcome: 'SUCCESS', errorCode: null, resourceType: 'secret' },
    ...{ resource: '/old', resourceId: null, version: null, details: {}, effects: [] },
  };
  for (let n = 0; n < OLD_EVENTS; n++) {
    const at = new Date(Date.now() - 60 * 86_400_000);
    await region.db.transaction((tx) => record(tx, region.name, actor, at, [event]));
  }
  await region.db.close();
}

async function write(gateway: TestApp): Promise<void> {
  const { read, put } = kmsKeysOf(gateway, OLD);
  for (let n = 1; writing.goesOn; n++) {
    const answers = await Promise.all([read(path), put(path, `v${n}`), read(path)]);
    if (!String(answers[0]).startsWith('v') || answers[1].code !== undefined) writing.failures.push(answers);
    await new Promise((resolve) => setTimeout(resolve, 40));
  }
}

function run(script: string, ...args: readonly string[]): Promise<{ status: number; stdout: string }> {
  const file = join(import.meta.dirname, '../../scripts', `${script}.ts`);
  const env = {
    ...{ PATH: process.env['PATH'], HOME: process.env['HOME'] },
    ...{ DATABASE_URL: app.databaseUrl, STRONGROOM_DATA_DIR: app.dataDir },
  };
  return new Promise((resolve) => {
    execFile(process.execPath, [file, ...args], { env }, (error, stdout, stderr) =>
      resolve({ status: error ? Number(error.code) : 0, stdout: stdout + stderr }),
    );
  });
}
const fileOf = (name: string) => join(app.dataDir, `${name}.jsonl`);
async function exported(name: string): Promise<string> {
  expect(await run('audit-export', '--organisation', 'old', '--out', fileOf(name))).toMatchObject({
    status: 0,
  });
  return fileOf(name);
}

interface Verification {
  readonly valid: boolean;
  readonly checked: number;
  readonly headSequence: number;
}
async function verified(gateway: TestApp): Promise<Verification> {
  const answer = await gateway.raw('{ verifyAuditChain { valid checked headSequence } }', {}, OLD);
  return answer.data['verifyAuditChain'] as Verification;
}
const count = async (what: string) =>
  Number((await app.database.query<{ n: string }>(`SELECT (${what}) AS n`)).rows[0]?.n);

test('the chain verifies on both, again and again, and grows meanwhile', async () => {
  const found: Verification[] = [];
  for (let n = 0; n < 3; n++) found.push(...(await Promise.all([app, peer].map(verified))));
  expect(found.map(({ valid }) => valid)).toEqual(found.map(() => true));
  expect(found.at(-1)?.headSequence).toBeGreaterThan(found[0]?.headSequence ?? 0);
  expect(writing.failures).toEqual([]);
});

test('an export holds, and a later one holds against it', async () => {
  const one = await exported('one');
  const [, key] = (await run('audit-public-key')).stdout.trim().split(' ');
  const other = await exported('other');
  const holds = await run('audit-verify', other, '--after', one, '--public-key', key ?? '');
  expect(holds).toMatchObject({ status: 0 });
  const ends = [...holds.stdout.matchAll(/holds, \d+ to (\d+)/g)].map(([, end]) => Number(end));
  expect(ends).toHaveLength(2);
  expect(ends[1]).toBeGreaterThan(ends[0] ?? 0);
  expect(writing.failures).toEqual([]);
});

test('checkpoints are signed once for a period, with one key, whichever gateway does it and however often', async () => {
  const heads =
    "SELECT count(*) FROM audit_checkpoint WHERE kind = 'HEAD' AND organisation = 'old' AND at = ";
  const at = new Date(Date.now() + 3_600_000);
  app.clock.now = peer.clock.now = at;
  await Promise.all(Array.from({ length: 6 }, () => requestTask(app, 'sign-checkpoints')));
  const signed = () => count(`${heads} '${at.toISOString()}'`);
  await eventually(async () => (await signed()) > 0);
  await idle();
  expect(await signed()).toBe(1);
  expect(await count('SELECT count(*) FROM audit_signing_key')).toBe(1);
});

test('what is too old is removed once, and the rest verifies on both and in an export', async () => {
  await Promise.all(Array.from({ length: 6 }, () => requestTask(app, 'expire-audit-events')));
  const first = () => count("SELECT min(sequence) FROM audit_event WHERE organisation = 'old'");
  await eventually(async () => (await first()) > 1);
  await idle();
  expect(await first()).toBe(OLD_EVENTS + 1);
  expect(await count("SELECT count(*) FROM audit_checkpoint WHERE kind = 'RETENTION'")).toBe(1);
  for (const { valid, checked, headSequence } of await Promise.all([app, peer].map(verified))) {
    expect([valid, checked < headSequence]).toEqual([true, true]);
  }
  const rest = await run('audit-verify', await exported('rest'));
  expect([rest.status, rest.stdout]).toEqual([3, expect.stringContaining('after retention')]);
  expect(writing.failures).toEqual([]);
});

/** Waits until no task is left to be run. */
async function idle(): Promise<void> {
  const due =
    'SELECT count(*) FROM graphile_worker._private_jobs WHERE run_at <= now() AND attempts < max_attempts';
  await eventually(async () => (await count(due)) === 0);
}
