import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { rewrapSigningKeys } from '../../src/jobs/rewrap-signing-keys.ts';
import { signCheckpoints } from '../../src/jobs/sign-checkpoints.ts';
import { SecretBytes } from '../../src/kms/envelope/secret-bytes.ts';
import { RootKeys } from '../../src/kms/keys/root-keys.ts';
import { AuditSigner, type ChainRegion } from '../../src/resolvers/audit/audit-signer.ts';
import { openRootKeyFile } from '../../src/server/root-key-file.ts';
import * as doc from '../e2e/documents.ts';
import { regionOfApp } from '../support/region-of-app.ts';
import { type TestApp, testApp } from '../support/test-app.ts';

/** Ahead, so that the service's own run, which may sign the first head before this one does, finds nothing else due. */
const START = new Date(Date.now() + 3_600_000);
const minutes = (n: number) => new Date(START.getTime() + n * 60_000);

let app: TestApp;
let region: ChainRegion;

beforeAll(async () => {
  app = await testApp();
  region = await regionOfApp(app);
});
afterAll(async () => {
  await region.db.close();
  await app.close();
});

const fail = () => app.gql(doc.GET, { input: { path: '/none' } });
const checkpoints = async () =>
  (await region.db.client.auditCheckpoint.findMany({ orderBy: { sequence: 'asc' } })).map(
    ({ sequence, keyId }) => [Number(sequence), keyId] as const,
  );

test('a head is signed at once, then after 10 minutes if there is anything new, and not twice', async () => {
  await Promise.all([signCheckpoints([region], minutes(0)), signCheckpoints([region], minutes(0))]);
  const [first, ...more] = await checkpoints();
  expect([first?.[0], more]).toEqual([1, []]);
  expect(await region.db.client.auditSigningKey.count()).toBe(1);
  await signCheckpoints([region], minutes(-1));
  expect(await checkpoints()).toHaveLength(1);
  await fail();
  await signCheckpoints([region], new Date());
  expect(await checkpoints()).toHaveLength(1);
  await signCheckpoints([region], minutes(10));
  expect((await checkpoints()).map(([sequence]) => sequence)).toEqual([1, 2]);
});

test('a thousand events are signed without waiting', async () => {
  await Promise.all(
    Array.from({ length: 10 }, () =>
      app.raw(doc.GET_MANY, { input: { secrets: Array.from({ length: 100 }, () => ({ path: '/none' })) } }),
    ),
  );
  await signCheckpoints([region], minutes(11));
  expect((await checkpoints()).map(([sequence]) => sequence)).toEqual([1, 2, 1_002]);
});

test('a key that somebody put into the table is neither trusted nor used', async () => {
  const forger = new RootKeys([{ id: 'forged', key: new SecretBytes(randomBytes(32)) }]);
  const { generateSigningKey } = await import('../../src/kms/keys/signing-key.ts');
  const key = generateSigningKey(forger, region.name);
  await app.database.query('INSERT INTO audit_signing_key VALUES ($1, $2, $3, $4, $5)', [
    ...[key.id, key.publicKey, key.wrappedPrivateKey, region.rootKeys.newestId, minutes(100)],
  ]);
  const signer = await AuditSigner.openToSign(region, minutes(20));
  expect(signer.publicKeys.map(({ id }) => id)).not.toContain(key.id);
  await app.database.query('DELETE FROM audit_signing_key WHERE id = $1', [key.id]);
});

test('the key follows the root key when that is replaced, and what it signed stays good', async () => {
  const [old] = await openRootKeyFile(app.dataDir, region.name);
  if (!old) throw new Error('no root key');
  const next = { id: 'next', key: new SecretBytes(randomBytes(32)) };
  expect(await rewrapSigningKeys(region)).toBe(0);
  expect(await rewrapSigningKeys({ ...region, rootKeys: new RootKeys([next, old]) })).toBe(1);
  const after = { ...region, rootKeys: new RootKeys([next]) };
  const signer = await AuditSigner.open(after);
  const rows = await region.db.client.auditCheckpoint.findMany();
  expect(rows.map((row) => signer.trusts({ ...row, region: region.name }))).toEqual(rows.map(() => true));
  expect(await rewrapSigningKeys({ ...region, rootKeys: new RootKeys([old, next]) })).toBe(1);
});

test('a chain that does not lead on from its last checkpoint is not signed', async () => {
  await fail();
  await app.database.query(`
    ALTER TABLE audit_event DISABLE TRIGGER audit_event_append_only;
    UPDATE audit_event SET source_ip = NULL WHERE sequence = 1003;`);
  await expect(signCheckpoints([region], minutes(30))).rejects.toThrow('acme in local-1');
  expect((await checkpoints()).map(([sequence]) => sequence)).toEqual([1, 2, 1_002]);
});
