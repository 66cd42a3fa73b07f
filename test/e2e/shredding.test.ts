import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { type DocumentNode, print } from 'graphql';
import pg from 'pg';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { aeadOpen, type AeadAlgorithm } from '../../src/kms/envelope/aead.ts';
import { canonical } from '../../src/kms/envelope/canonical.ts';
import { SecretBytes } from '../../src/kms/envelope/secret-bytes.ts';
import { RootKeys, rootKeyId } from '../../src/kms/keys/root-keys.ts';
import { eventually } from '../support/eventually.ts';
import { databaseUrl, TEMPLATE } from '../support/postgres.ts';
import * as doc from './documents.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const DAY_MS = 86_400_000;
const rootKey = new SecretBytes(randomBytes(32));
/** Not short, so that no string of the heap is it by chance, and told from its base64. */
const value = randomBytes(48);
const path = '/shredded/password';

let directory: string;
let database: pg.Pool;
let child: ChildProcessByStdio<Writable, Readable, null>;
let lines: NodeJS.AsyncIterator<string>;
let ask: (document: DocumentNode | string, variables: unknown) => Promise<Record<string, unknown>>;

/** What must not be found, by name: each as it lies in memory. */
const secrets: Record<
  'value' | 'dataKey' | 'material' | 'wrappedDataKey' | 'ciphertext' | 'wrappedMaterial',
  Buffer
> = {
  ...{
    value,
    dataKey: value,
    material: value,
    wrappedDataKey: value,
    ciphertext: value,
    wrappedMaterial: value,
  },
};

const nextLine = async () => JSON.parse(String((await lines.next()).value)) as unknown;
const tell = async (line: string) => {
  child.stdin.write(`${line}\n`);
  expect(await nextLine()).toBe('done');
};

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'strongroom-memory-'));
  const server = inject('postgres');
  const name = `memory_${randomBytes(8).toString('hex')}`;
  const admin = new pg.Client({ connectionString: server });
  await admin.connect();
  await admin.query(`CREATE DATABASE ${name} TEMPLATE ${TEMPLATE}`);
  await admin.end();
  database = new pg.Pool({ connectionString: databaseUrl(server, name), max: 1 });
  child = spawn(
    join(ROOT, 'node_modules/.bin/node'),
    ['--expose-gc', join(ROOT, 'test/support/memory-child.ts')],
    {
      cwd: ROOT,
      env: {
        ...{ PATH: process.env['PATH'], DATABASE_URL: databaseUrl(server, name) },
        ...{ STRONGROOM_DATA_DIR: directory, STRONGROOM_ROOT_KEY: rootKey.revealBase64() },
      },
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  );
  lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const { port, token } = (await nextLine()) as { port: number; token: string };
  ask = async (document, variables) => {
    const query = typeof document === 'string' ? document : print(document);
    const response = await fetch(`http://127.0.0.1:${port}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: JSON.stringify({ query, variables }),
    });
    const answer = (await response.json()) as { data?: Record<string, unknown>; errors?: unknown };
    if (!answer.data || answer.errors !== undefined) throw new Error(JSON.stringify(answer.errors));
    return answer.data;
  };
}, 60_000);

afterAll(async () => {
  child.kill('SIGKILL');
  await database.end();
  await rm(directory, { recursive: true, force: true });
});

interface Row {
  readonly id: string;
  readonly identity: string;
  readonly key_type: AeadAlgorithm;
  readonly wrapped_data_key: Buffer;
  readonly ciphertext: Buffer;
  readonly wrapped_material: Buffer;
}

/** Everything that opens the secret, as who holds the root key finds it out. */
async function learnSecrets(): Promise<void> {
  const { rows } = await database.query<Row>(
    `SELECT s.id, k.identity, k.key_type, v.wrapped_data_key, v.ciphertext, m.wrapped_material
     FROM secret s JOIN secret_version v ON v.secret_id = s.id JOIN kms_key k ON k.identity = s.kms_key_identity
     JOIN kms_key_version m ON m.kms_key_identity = k.identity WHERE s.path = $1`,
    [path],
  );
  const row = rows[0] ?? expect.fail('There is no such secret.');
  const { id, identity, key_type: keyType } = row;
  const place = ['acme', 'local-1', ''];
  const rootKeys = new RootKeys([{ id: rootKeyId(rootKey), key: rootKey }]);
  const material = rootKeys
    .unwrap(
      rootKeys.newestId,
      row.wrapped_material,
      canonical(['strongroom/key-material/1', ...place, identity, keyType, 1]),
    )
    .reveal();
  const context = canonical(['strongroom/data-key', 1, ...place, id, 1, 'STRING', identity, path]);
  const dataKey = aeadOpen(keyType, material, row.wrapped_data_key, context);
  Object.assign(secrets, {
    ...{ material, dataKey, wrappedMaterial: row.wrapped_material },
    ...{ wrappedDataKey: row.wrapped_data_key, ciphertext: row.ciphertext },
  });
}

function forms(bytes: Buffer): string[] {
  return [bytes.toString('hex'), bytes.toString('base64').replace(/=+$/, ''), bytes.toString('base64url')];
}

/** Every row of every table as text, as COPY and so pg_dump write it: bytes in hexadecimal. */
async function dump(): Promise<string> {
  const { rows: tables } = await database.query<{ name: string }>(
    `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
     WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`,
  );
  const file = `/tmp/strongroom-dump-${randomBytes(8).toString('hex')}`;
  let text = '';
  for (const { name } of tables) {
    await database.query(`COPY ${name} TO '${file}'`);
    const { rows } = await database.query<{ text: string }>('SELECT pg_read_file($1) AS text', [file]);
    text += rows[0]?.text ?? '';
  }
  await rm(file, { force: true });
  return text;
}

async function heap(): Promise<string> {
  const file = join(directory, 'heap.heapsnapshot');
  await tell(`heap ${file}`);
  return readFile(file, 'utf8');
}

/**
 * How often each stands in what the process may write to: Linux lets a parent read it. Looked for is the second half,
 * for memory that was freed and not zeroed has lost its first bytes to the allocator.
 */
async function inMemory(names: readonly (keyof typeof secrets)[]): Promise<Record<string, number>> {
  const found: Record<string, number> = Object.fromEntries(names.map((name) => [name, 0]));
  const CHUNK = 8 * 1024 * 1024;
  const OVERLAP = 128;
  const maps = await readFile(`/proc/${child.pid}/maps`, 'utf8');
  const memory = await open(`/proc/${child.pid}/mem`);
  const buffer = Buffer.alloc(CHUNK + OVERLAP);
  try {
    for (const [, from = '', to = ''] of maps.matchAll(/^([0-9a-f]+)-([0-9a-f]+) rw/gm)) {
      for (let at = parseInt(from, 16); at < parseInt(to, 16); at += CHUNK) {
        const length = Math.min(CHUNK + OVERLAP, parseInt(to, 16) - at);
        const { bytesRead } = await memory.read(buffer, 0, length, at).catch(() => ({ bytesRead: 0 }));
        const chunk = buffer.subarray(0, bytesRead);
        for (const name of names) {
          const half = secrets[name].subarray(secrets[name].byteLength / 2);
          for (let hit = chunk.indexOf(half); hit >= 0 && hit < CHUNK;) {
            found[name] = (found[name] ?? 0) + 1;
            hit = chunk.indexOf(half, hit + 1);
          }
        }
      }
    }
  } finally {
    buffer.fill(0);
    await memory.close();
  }
  return found;
}

const linux = process.platform === 'linux';

test('the scans of tables and memory find what is there: the sealed row, and the key in the cache', async () => {
  const { kmsKeys } = (await ask(doc.KMS_KEYS, {})) as { kmsKeys: { nodes: { identity: string }[] } };
  const kmsKeyIdentity = kmsKeys.nodes[0]?.identity;
  const secretString = value.toString('base64');
  await ask(doc.CREATE, { input: { path, kmsKeyIdentity, value: { secretString } } });
  const { getSecretValue } = await ask(doc.GET, { input: { path } });
  expect(getSecretValue).toMatchObject({ secretString });
  await learnSecrets();
  const dumped = await dump();
  for (const name of ['wrappedDataKey', 'ciphertext', 'wrappedMaterial'] as const) {
    expect(dumped).toContain(secrets[name].toString('hex'));
  }
  if (linux) expect((await inMemory(['material']))['material']).toBeGreaterThan(0);
}, 60_000);

test('after a version was destroyed no table holds its value, its data key or what they were sealed to', async () => {
  await ask(doc.DESTROY, { input: { path, version: 1 } });
  const dumped = await dump();
  for (const name of ['value', 'dataKey', 'material', 'wrappedDataKey', 'ciphertext'] as const) {
    for (const form of forms(secrets[name])) expect(dumped.includes(form), name).toBe(false);
  }
});

test.skipIf(!linux)(
  'after a version was destroyed neither its data key nor its value’s bytes are anywhere in the process',
  async () => {
    // Before anything is collected: what was not zeroed would still be there.
    expect(await inMemory(['dataKey', 'value'])).toEqual({ dataKey: 0, value: 0 });
  },
  60_000,
);

test('after a version was destroyed the heap holds neither its value nor a key', async () => {
  // Found is what is still held: a value in base64, as one would come in a request.
  const held = randomBytes(48).toString('base64');
  await tell(`keep ${held}`);
  const snapshot = await heap();
  expect(snapshot.includes(held)).toBe(true);
  for (const name of ['value', 'dataKey', 'material'] as const) {
    for (const form of [...forms(secrets[name]), secrets[name].toString('latin1')]) {
      expect(snapshot.includes(JSON.stringify(form).slice(1, -1)), name).toBe(false);
    }
  }
}, 60_000);

test('after a KMS key was deleted no table holds its material, wrapped or not, and the process does not', async () => {
  const identity = (
    await database.query<{ identity: string }>(
      'SELECT kms_key_identity AS identity FROM secret WHERE path = $1',
      [path],
    )
  ).rows[0]?.identity;
  // Used once more, so that it lies in the cache.
  await ask(doc.PUT, { input: { path, value: { secretString: 'bW9yZQ==' } } });
  if (linux) expect((await inMemory(['material']))['material']).toBeGreaterThan(0);
  await ask(doc.DELETE, { input: { path, recoveryWindowDays: 0 } });
  await ask(`mutation ($input: KmsKeyReference!) { scheduleKmsKeyDeletion(input: $input) { __typename } }`, {
    input: { identity },
  });
  await tell(`ahead ${31 * DAY_MS}`);
  await database.query("SELECT graphile_worker.add_job('destroy-scheduled-keys')");
  await eventually(async () => (await database.query('SELECT FROM kms_key')).rowCount === 0);
  // What the job forgets once it has committed.
  await sleep(500);
  if (linux) expect(await inMemory(['material', 'dataKey'])).toEqual({ material: 0, dataKey: 0 });
  const dumped = await dump();
  for (const name of Object.keys(secrets) as (keyof typeof secrets)[]) {
    for (const form of forms(secrets[name])) expect(dumped.includes(form), name).toBe(false);
  }
  const snapshot = await heap();
  for (const form of forms(secrets.material)) expect(snapshot.includes(form)).toBe(false);
}, 60_000);
