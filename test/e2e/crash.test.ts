import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { type DocumentNode, print } from 'graphql';
import pg from 'pg';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { databaseUrl, TEMPLATE } from '../support/postgres.ts';
import { data } from '../support/test-app.ts';
import * as doc from './documents.ts';

interface Service {
  readonly child: ChildProcess;
  /** The data of an answer; throws when the service went away before it. */
  ask(document: DocumentNode, variables: unknown): Promise<Record<string, unknown>>;
}

interface Acknowledged {
  readonly path: string;
  readonly version: number;
  readonly text: string;
}

const ROOT = resolve(import.meta.dirname, '../..');
let dataDir: string;
let database: string;
const children: ChildProcess[] = [];

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'strongroom-crash-'));
  const server = inject('postgres');
  const name = `crash_${randomBytes(8).toString('hex')}`;
  const admin = new pg.Client({ connectionString: server });
  await admin.connect();
  await admin.query(`CREATE DATABASE ${name} TEMPLATE ${TEMPLATE}`);
  await admin.end();
  database = databaseUrl(server, name);
});

afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await rm(dataDir, { recursive: true, force: true });
});

/** Starts the service as an operator does and waits until it listens. */
async function start(): Promise<Service> {
  const child = spawn(join(ROOT, 'node_modules/.bin/node'), ['src/main.ts'], {
    cwd: ROOT,
    env: {
      ...{ PATH: process.env['PATH'], DATABASE_URL: database, STRONGROOM_DATA_DIR: dataDir },
      ...{ PORT: '0', STRONGROOM_LOG_LEVEL: 'error' },
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  let url: string | undefined;
  for await (const line of createInterface({ input: child.stdout })) {
    url ??= /listens at (\S+)/.exec(line)?.[1];
    const token = /^Token for .*: (\S+)$/.exec(line)?.[1];
    if (url === undefined || token === undefined) continue;
    const address = url;
    child.stdout.resume();
    const ask = async (document: DocumentNode, variables: unknown) => {
      const response = await fetch(address, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
        body: JSON.stringify({ query: print(document), variables }),
      });
      const answer = (await response.json()) as { data?: Record<string, unknown>; errors?: unknown };
      if (!answer.data || answer.errors !== undefined) throw new Error(JSON.stringify(answer.errors));
      return answer.data;
    };
    return { child, ask };
  }
  throw new Error('The service ended before it listened.');
}

test('a SIGKILL amid a hundred writes loses nothing acknowledged, and every version that is there opens', async () => {
  const service = await start();
  const { kmsKeys } = (await service.ask(doc.KMS_KEYS, {})) as {
    kmsKeys: { nodes: { identity: string }[] };
  };
  const kmsKeyIdentity = kmsKeys.nodes[0]?.identity;
  const acknowledged: Acknowledged[] = [];
  const killed = once(service.child, 'exit');
  const write = async (index: number) => {
    const path = `/crash/s${index}`;
    for (let version = 1; version <= 20; version++) {
      const text = `${path} ${version}`;
      const value = { secretString: data(text) };
      const answer =
        version === 1
          ? await service.ask(doc.CREATE, { input: { path, kmsKeyIdentity, value } })
          : await service.ask(doc.PUT, { input: { path, value } });
      expect(answer['createSecret'] ?? answer['putSecretValue']).toMatchObject({
        version: { number: version },
      });
      acknowledged.push({ path, version, text });
      if (acknowledged.length === 150) service.child.kill('SIGKILL');
    }
  };
  const outcomes = await Promise.allSettled(Array.from({ length: 100 }, (_, index) => write(index)));
  expect(await killed).toEqual([null, 'SIGKILL']);
  expect(outcomes.every(({ status }) => status === 'rejected')).toBe(true);
  expect(acknowledged.length).toBeGreaterThanOrEqual(150);

  const again = await start();
  const client = new pg.Client({ connectionString: database });
  await client.connect();
  const { rows } = await client.query<{ path: string; version: number }>(
    `SELECT s.path, v.number AS version FROM secret s JOIN secret_version v ON v.secret_id = s.id
     ORDER BY s.path, v.number`,
  );
  const events = await client.query<{ n: number; linked: number }>(
    `SELECT count(*)::int AS n, count(*) FILTER (WHERE p.hash = e.previous_hash)::int AS linked
     FROM audit_event e LEFT JOIN audit_event p
       ON p.organisation = e.organisation AND p.sequence = e.sequence - 1`,
  );
  const written = await client.query<{ n: number }>(
    "SELECT count(*)::int AS n FROM audit_event WHERE action IN ('secret.create', 'secret.putValue')",
  );
  await client.end();
  expect(events.rows[0]?.linked).toBe((events.rows[0]?.n ?? 0) - 1);
  expect(written.rows[0]?.n).toBe(rows.length);
  const there = new Set(rows.map(({ path, version }) => `${path} ${version}`));
  expect(acknowledged.filter(({ text }) => !there.has(text))).toEqual([]);
  for (let from = 0; from < rows.length; from += 100) {
    const secrets = rows.slice(from, from + 100);
    const { getSecretValues } = await again.ask(doc.GET_MANY, { input: { secrets } });
    expect(getSecretValues).toMatchObject({
      results: secrets.map(({ path, version }) => ({
        ...{ path, version, secretString: data(`${path} ${version}`) },
      })),
    });
  }
  const stopped = once(again.child, 'exit');
  again.child.kill('SIGTERM');
  expect(await stopped).toEqual([0, null]);
}, 60_000);
