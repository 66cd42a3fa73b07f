import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { access, chmod, mkdtemp, readdir, rm } from 'node:fs/promises';
import { Agent, createServer, type IncomingMessage, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { openDevelopmentIssuer } from '../../src/auth/development-issuer.ts';
import { openRoomyPostgres } from '../../src/db/embedded/roomy-postgres.ts';
import { eventually } from '../support/eventually.ts';
import { databaseUrl, TEMPLATE } from '../support/postgres.ts';
import {
  isGroupAlive,
  killServices,
  listeningService,
  type Started,
  startService,
} from '../support/started.ts';

let dataDir: string;
let environment: Record<string, string>;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'strongroom-workers-'));
  await chmod(dataDir, 0o711); // root's Postgres runs as another user
  const name = `workers_${process.pid}_${Date.now()}`;
  const admin = new pg.Client({ connectionString: inject('postgres') });
  await admin.connect();
  await admin.query(`CREATE DATABASE ${name} TEMPLATE ${TEMPLATE}`);
  await admin.end();
  environment = {
    DATABASE_URL: databaseUrl(inject('postgres'), name),
    STRONGROOM_DATA_DIR: dataDir,
    STRONGROOM_WORKERS: '2',
  };
});
afterAll(async () => {
  killServices();
  await rm(dataDir, { recursive: true, force: true });
});

/** One connection that is kept, and so one worker's. */
class Connection {
  readonly #origin: string;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });

  constructor(origin: string) {
    this.#origin = origin;
  }

  /** Sends the head now and the body when told to. */
  begin(path: string, body = '', token = '') {
    const headers = {
      ...{ authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      'content-length': Buffer.byteLength(body),
    };
    const outgoing = request(`${this.#origin}${path}`, {
      ...{ agent: this.#agent, method: body ? 'POST' : 'GET' },
      headers: body ? headers : {},
    });
    const answer = once(outgoing, 'response').then(async ([response]: IncomingMessage[]) => {
      const chunks: Buffer[] = [];
      for await (const chunk of response ?? []) chunks.push(chunk as Buffer);
      return { status: response?.statusCode, text: Buffer.concat(chunks).toString() };
    });
    answer.catch(() => undefined);
    outgoing.flushHeaders();
    return { answer, end: () => void outgoing.end(body) };
  }

  async get(path: string): Promise<string> {
    const { answer, end } = this.begin(path);
    end();
    const { status, text } = await answer;
    expect(status).toBe(200);
    return text;
  }

  async ask<T>(token: string, query: string, input: object): Promise<T> {
    const { answer, end } = this.begin('/graphql', JSON.stringify({ query, variables: { input } }), token);
    end();
    const { data } = JSON.parse((await answer).text) as { data: Record<string, T> };
    return Object.values(data)[0] as T;
  }

  close(): void {
    this.#agent.destroy();
  }
}

const tokenOf = async (...roles: string[]) =>
  (await openDevelopmentIssuer(dataDir)).mint({
    ...{ organisation: 'acme', roles, subject: roles.join(), ttlSeconds: 600 },
  });
const secretString = (text: string) => ({ secretString: Buffer.from(text).toString('base64') });
const CREATE_KEY = `mutation ($input: CreateKmsKeyInput!) { createKmsKey(input: $input) {
  ... on KmsKeyPayload { kmsKey { identity } } } }`;
const DISABLE_KEY = `mutation ($input: KmsKeyReference!) { disableKmsKey(input: $input) { __typename } }`;
const CREATE = `mutation ($input: CreateSecretInput!) { createSecret(input: $input) { __typename } }`;
const PUT = `mutation ($input: PutSecretValueInput!) { putSecretValue(input: $input) { __typename } }`;
const PUT_POLICY = `mutation ($input: PutPolicyInput!) { putPolicy(input: $input) { __typename } }`;
const READ = `query ($input: GetSecretValueInput!) { getSecretValue(input: $input) {
  ... on UserError { code } ... on SecretValue { secretString } } }`;

/** The text of the value, or the code of the refusal. */
async function read(by: Connection, token: string, path: string): Promise<string> {
  const answer = await by.ask<{ code?: string; secretString?: string }>(token, READ, { path });
  return answer.code ?? Buffer.from(answer.secretString ?? '', 'base64').toString();
}

/** How many requests to /health a scrape tells of. */
const healthCount = (metrics: string) =>
  Number(
    /^strongroom_http_request_duration_seconds_count\{path="\/health",status="200"\} (\d+)$/m.exec(
      metrics,
    )?.[1],
  );
const requestsOf = (service: Started, path: string) =>
  service.logged().filter((line) => line['msg'] === 'request' && line['path'] === path);

describe('two workers', () => {
  let service: Started & { readonly origin: string };
  const connections = new Map<unknown, Connection>();

  /** A connection to each worker that answers, by the pid that its log lines hold. */
  async function connect(): Promise<[Connection, Connection]> {
    for (const connection of connections.values()) connection.close();
    connections.clear();
    await eventually(async () => {
      const connection = new Connection(service.origin);
      const before = requestsOf(service, '/health').length;
      await connection.get('/health');
      const line = await eventually(() => Promise.resolve(requestsOf(service, '/health')[before]));
      if (connections.has(line['pid'])) connection.close();
      else connections.set(line['pid'], connection);
      return connections.size === 2;
    });
    const [one, other] = [...connections.values()];
    if (!one || !other) throw new Error('There are not two.');
    return [one, other];
  }

  beforeAll(async () => {
    service = await listeningService(environment);
  });

  test('listen on one port, told of once, and both answer', async () => {
    expect(service.output().match(/^Strongroom listens at /gm)).toHaveLength(1);
    expect(service.output().match(/^Token for acme/gm)).toHaveLength(1);
    expect(service.output().match(/^GraphiQL: /gm)).toHaveLength(1);
    const [one, other] = await connect();
    expect([await one.get('/ready'), await other.get('/ready')]).toEqual(['ready\n', 'ready\n']);
    const pids = () => new Set(requestsOf(service, '/ready').map(({ pid }) => pid));
    await eventually(() => Promise.resolve(pids().size === 2));
  });

  test('a value, a denial and a disabled key count at the other worker: at once, and within 2 seconds', async () => {
    const [one, other] = await connect();
    const admin = await tokenOf('strongroom:admin');
    for (const [near, far] of [
      [one, other],
      [other, one],
    ] as const) {
      const role = `role-${randomUUID()}`;
      const reader = await tokenOf('secrets:ValueAccess', role);
      const path = `/workers/${randomUUID()}`;
      const { kmsKey } = await near.ask<{ kmsKey: { identity: string } }>(admin, CREATE_KEY, { name: role });
      await near.ask(admin, CREATE, { path, kmsKeyIdentity: kmsKey.identity, value: secretString('first') });
      for (const by of [near, far]) expect(await read(by, reader, path)).toBe('first');

      await near.ask(admin, PUT, { path, value: secretString('second') });
      expect(await read(far, reader, path)).toBe('second');

      const statement = { name: 'deny', effect: 'DENY', permissions: ['SECRET_GET_VALUE'] };
      await near.ask(admin, PUT_POLICY, {
        ...{ name: role, statements: [{ ...statement, resources: [`secret:${path}`] }] },
        subjects: [{ kind: 'ROLE', value: role }],
      });
      expect(await read(near, reader, path)).toBe('ACCESS_DENIED');
      await eventually(async () => (await read(far, reader, path)) === 'ACCESS_DENIED', 2_000);
      expect(await read(far, admin, path)).toBe('second');

      await near.ask(admin, DISABLE_KEY, kmsKey);
      expect(await read(near, admin, path)).toBe('KEY_UNAVAILABLE');
      await eventually(async () => (await read(far, admin, path)) === 'KEY_UNAVAILABLE', 2_000);
    }
  });

  test('/metrics counts for both, whichever answers, with the labels that one has', async () => {
    const [one, other] = await connect();
    const before = healthCount(await one.get('/metrics'));
    for (const by of [one, one, one, other, other]) await by.get('/health');
    for (const by of [one, other]) expect(healthCount(await by.get('/metrics'))).toBe(before + 5);
    const text = await other.get('/metrics');
    expect(text).toMatch(/^process_resident_memory_bytes \d+$/m);
    for (const line of text.split('\n'))
      expect(line).toMatch(/^($|#|[a-z_\d]+(\{[^}]*\})? (Na[Nn]|[+-]?Inf|-?[\d.e+-]+)$)/);
  });

  test('one that is killed is replaced, while the other answers, and what it counted stays counted', async () => {
    const [one, other] = await connect();
    const counted = healthCount(await one.get('/metrics'));
    const [pid] = [...connections.keys()] as number[];
    process.kill(pid ?? 0, 'SIGKILL');
    let answered = 0;
    const replaced = async () => {
      await other.get('/health');
      answered += 1;
      const fresh = new Connection(service.origin);
      // The system may still hand a connection to the socket of the one that is dying: that one is reset, and not counted.
      const came = await fresh.get('/health').then(
        () => true,
        (error: unknown) => {
          expect(error).toMatchObject({ code: 'ECONNRESET' });
          return false;
        },
      );
      fresh.close();
      if (came) answered += 1;
      const pids = requestsOf(service, '/health').map((line) => line['pid']);
      return new Set(pids).size === 3;
    };
    await eventually(replaced, 15_000);
    expect(service.logged()).toContainEqual(
      expect.objectContaining({ level: 50, msg: 'a worker died and is replaced', pid, signal: 'SIGKILL' }),
    );
    expect(healthCount(await other.get('/metrics'))).toBe(counted + answered);
  });

  test('Ctrl-C lets both finish what they have begun, and all end with 0', async () => {
    const token = await tokenOf('strongroom:admin');
    const body = JSON.stringify({ query: '{ viewer { subject } }' });
    const begun = (await connect()).map((connection) => connection.begin('/graphql', body, token));
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    process.kill(-service.pid, 'SIGINT');
    // One that is accepted at the last moment gets no answer: it must not keep this test until the service gives up the others.
    await eventually(() =>
      fetch(`${service.origin}/health`, { signal: AbortSignal.timeout(1_000) }).then(
        () => false,
        () => true,
      ),
    );
    for (const { end } of begun) end();
    for (const { answer } of begun) expect((await answer).status).toBe(200);
    for (const connection of connections.values()) connection.close();
    expect(await service.exit()).toBe(0);
    for (const msg of ['stopping', 'stopped'])
      expect(service.logged().filter((line) => line['msg'] === msg)).toHaveLength(1);
    expect(service.logged().filter(({ level }) => level === 50)).toHaveLength(1);
    expect(isGroupAlive(service)).toBe(false);
  });
});

test('workers that cannot listen make the start fail with the reason, once, and none is left', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const service = startService({ ...environment, PORT: String((other.address() as AddressInfo).port) });
  expect(await service.exit()).toBe(1);
  other.close();
  expect(service.output()).toBe('Another process listens at this address already: set PORT, or stop it.\n');
  expect(isGroupAlive(service)).toBe(false);
});

test('with nothing configured one database and one key of each kind are made; without the primary no worker stays', async () => {
  const own = join(dataDir, 'own');
  const service = await listeningService({ STRONGROOM_DATA_DIR: own, STRONGROOM_WORKERS: '2' });
  const made = await readdir(own);
  expect(made.filter((name) => /key|issuer/.test(name)).sort()).toEqual([
    'development-issuer.json',
    'root-key-local-1',
  ]);
  process.kill(service.pid, 'SIGKILL');
  await service.exit();
  await eventually(() => Promise.resolve(!isGroupAlive(service)), 5_000);

  // The Postgres that was left has room for two.
  const roomy = await openRoomyPostgres(own, 8);
  const client = new pg.Client({ connectionString: roomy.connectionString });
  await client.connect();
  const { rows } = await client.query<{ max_connections: string }>('SHOW max_connections');
  expect(Number(rows[0]?.max_connections)).toBeGreaterThan(8 * (16 + 4 + 1));
  await expect(openRoomyPostgres(own, 64)).rejects.toThrow(/STRONGROOM_WORKERS asks for: stop the other/);
  await client.end();
  await roomy.close();
  await access(join(own, 'root-key-local-1'));
});
