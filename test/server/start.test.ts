import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { createServer, type IncomingMessage, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { databaseUrl, TEMPLATE } from '../support/postgres.ts';

const children = new Set<ChildProcess>();
const START = join(import.meta.dirname, '../../scripts/start.js');
let dataDir: string;
let database: string;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'strongroom-start-'));
  await chmod(dataDir, 0o711); // root's Postgres runs as another user: else it would lie elsewhere, and stay
  const server = inject('postgres');
  const name = `start_${process.pid}_${Date.now()}`;
  const admin = new pg.Client({ connectionString: server });
  await admin.connect();
  await admin.query(`CREATE DATABASE ${name} TEMPLATE ${TEMPLATE}`);
  await admin.end();
  database = databaseUrl(server, name);
});
afterAll(async () => {
  for (const child of children) child.kill('SIGTERM');
  await Promise.all([...children].map((child) => exit(child)));
  await rm(dataDir, { recursive: true, force: true });
});

interface Started {
  readonly child: ChildProcess;
  readonly output: () => string;
}

function start(environment: Record<string, string>, ...args: readonly string[]): Started {
  const child = spawn(process.execPath, [START, ...args], {
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], PORT: '0', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.add(child);
  const chunks: string[] = [];
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (chunk: string) => chunks.push(chunk));
  return { child, output: () => chunks.join('') };
}

async function exit(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  children.delete(child);
  return child.exitCode;
}

interface Listening extends Started {
  readonly url: string;
  readonly token: string;
}

async function listening(environment: Record<string, string>): Promise<Listening> {
  const started = start(environment);
  const { child, output } = started;
  const isReady = () => /^GraphiQL: .*\n/m.test(output());
  await expect.poll(() => isReady() || child.exitCode !== null, { timeout: 60_000, interval: 50 }).toBe(true);
  if (!isReady()) throw new Error(output());
  const url = /^Strongroom listens at (\S+)$/m.exec(output())?.[1] ?? '';
  const token = /^Token for acme, 12 hours: (\S+)$/m.exec(output())?.[1] ?? '';
  return { ...started, url, token };
}

async function ask(to: Listening, query: string): Promise<{ data: Record<string, unknown> }> {
  const response = await fetch(to.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${to.token}` },
    body: JSON.stringify({ query }),
  });
  expect(response.status).toBe(200);
  return (await response.json()) as { data: Record<string, unknown> };
}

async function refused(environment: Record<string, string>): Promise<string> {
  const { child, output } = start(environment);
  expect(await exit(child)).toBe(1);
  return output();
}

async function stop({ child }: Started): Promise<void> {
  child.kill('SIGTERM');
  expect(await exit(child)).toBe(0);
}

test('--check finds a database that is away and a root key that is lost, starts nothing and writes nothing', async () => {
  const checked = async (environment: Record<string, string>) => {
    const { child, output } = start(
      { STRONGROOM_DATA_DIR: join(dataDir, 'none'), ...environment },
      '--check',
    );
    const status = await exit(child);
    return { status, lines: output().trim().split('\n') };
  };
  expect(await checked({ DATABASE_URL: 'postgres://nobody@127.0.0.1:9/none' })).toMatchObject({
    status: 1,
    lines: [
      'configuration: ok',
      'database of region local-1: cannot be reached: ECONNREFUSED',
      'issuer: ok (the development issuer)',
    ],
  });
  const first = await checked({ DATABASE_URL: database });
  expect(first.status).toBe(0);
  expect(first.lines[1]).toBe('database of region local-1: ok (0 migrations to apply)');
  const client = new pg.Client({ connectionString: database });
  await client.connect();
  const wrapped = `INSERT INTO audit_signing_key (id, public_key, wrapped_private_key, root_key_id, created_at)
    VALUES ('0000000000000000', '', '', 'of-another-time', now())`;
  await client.query(wrapped);
  const lost = await checked({ DATABASE_URL: database });
  await client.query('DELETE FROM audit_signing_key');
  await client.end();
  expect(lost.status).toBe(1);
  expect(lost.lines[2]).toBe('root key of region local-1: lacks of-another-time, which the database needs');
  expect(existsSync(join(dataDir, 'none'))).toBe(false);
});

test('SIGTERM to npm start, which is what a service manager signals, ends the service and frees its port', async () => {
  const npm = spawn('npm', ['start'], {
    cwd: join(import.meta.dirname, '../..'),
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], PORT: '0', STRONGROOM_DATA_DIR: dataDir },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.add(npm);
  let output = '';
  for (const stream of [npm.stdout, npm.stderr])
    stream.setEncoding('utf8').on('data', (chunk: string) => (output += chunk));
  const url = await eventually(() => Promise.resolve(/listens at (\S+)\/graphql/.exec(output)?.[1]), 30_000);
  expect((await fetch(`${url}/health`)).status).toBe(200);
  const postmaster = join(dataDir, 'postgres', 'cluster', 'postmaster.pid');
  expect(existsSync(postmaster)).toBe(true);
  npm.kill('SIGTERM');
  await exit(npm);
  await eventually(
    () =>
      fetch(`${url}/health`).then(
        () => false,
        () => true,
      ),
    10_000,
  );
  await eventually(() => Promise.resolve(!existsSync(postmaster)), 10_000);
});

describe('a start that cannot be', () => {
  test('production with nothing configured ends with 1 and names all that is missing at once', async () => {
    const output = await refused({ NODE_ENV: 'production', STRONGROOM_DATA_DIR: join(dataDir, 'none') });
    for (const name of [
      'STRONGROOM_ISSUERS',
      'DATABASE_URL',
      'STRONGROOM_ROOT_KEY',
      'STRONGROOM_ROOT_KEY_FILE',
    ]) {
      expect(output).toContain(name);
    }
    expect(output).not.toMatch(/ {4}at |node:internal/);
  });

  test('a bad port and an unknown variable are told by name, in one message, without their values', async () => {
    for (const PORT of ['70000', '-1', '80.5', 'canary-port']) {
      const output = await refused({ PORT, STRONGROOM_CANARY: 'canary-value', STRONGROOM_DATA_DIR: dataDir });
      expect(output).toMatch(/PORT /);
      expect(output).toContain('STRONGROOM_CANARY is no variable of this release');
      expect(output).not.toMatch(/canary-port|canary-value|70000|80\.5| {4}at /);
    }
  });

  test('a port in use is explained', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const PORT = String((other.address() as AddressInfo).port);
    const output = await refused({ PORT, DATABASE_URL: database, STRONGROOM_DATA_DIR: dataDir });
    other.close();
    expect(output).toContain('Another process listens at this address already: set PORT, or stop it.');
    expect(output).not.toContain('    at ');
  });
});

test('SIGTERM finishes what is in flight, then ends with 0', async () => {
  const service = await listening({ DATABASE_URL: database, STRONGROOM_DATA_DIR: dataDir });
  const body = JSON.stringify({ query: '{ viewer { subject } }' });
  const outgoing = request(service.url, {
    method: 'POST',
    headers: {
      ...{ 'content-type': 'application/json', 'content-length': body.length },
      authorization: `Bearer ${service.token}`,
    },
  });
  outgoing.write(body.slice(0, 5));
  await new Promise((resolve) => setTimeout(resolve, 300));
  service.child.kill('SIGTERM');
  await expect.poll(service.output).toContain('"stopping"');
  await expect(fetch(service.url.replace('/graphql', '/health'))).rejects.toThrow();
  outgoing.end(body.slice(5));
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
  expect(response.statusCode).toBe(200);
  response.resume();
  expect(await exit(service.child)).toBe(0);
  expect(service.output()).toContain('"stopped"');
}, 60_000);

test('with nothing configured it makes its own database and keys, keeps them, and never starts without them', async () => {
  const environment = { STRONGROOM_DATA_DIR: join(dataDir, 'own') };
  const KEY = '{ kmsKeys { nodes { identity } } viewer { organisation subject } }';
  const first = await listening(environment);
  expect(first.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/graphql$/);
  expect(first.output()).toContain(`GraphiQL: ${first.url}#token=${first.token}\n`);
  const { data } = await ask(first, KEY);
  expect(data['viewer']).toEqual({ organisation: 'acme', subject: 'developer' });
  const rootKeyFile = join(environment.STRONGROOM_DATA_DIR, 'root-key-local-1');
  const rootKey = await readFile(rootKeyFile, 'utf8');
  expect(first.output()).not.toContain(rootKey.trim());
  await stop(first);

  const second = await listening(environment);
  expect((await ask(second, KEY)).data).toEqual(data);
  // Tokens outlive a restart: the issuer's key is kept as well.
  expect((await ask({ ...second, token: first.token }, KEY)).data).toEqual(data);
  second.child.kill('SIGKILL');
  await exit(second.child);

  const third = await listening(environment);
  expect(third.output()).toContain('A Postgres that an earlier process had left running was taken over.');
  expect((await ask(third, KEY)).data).toEqual(data);
  await stop(third);

  await rm(rootKeyFile);
  const output = await refused(environment);
  expect(output).toMatch(
    /^The database of region local-1 holds keys under the root key \S+, which is not configured\./m,
  );
  expect(output).not.toContain('    at ');
}, 120_000);
