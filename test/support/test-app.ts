import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TadaDocumentNode } from 'gql.tada';
import { type DocumentNode, print } from 'graphql';
import pg from 'pg';
import { pino } from 'pino';
import { inject } from 'vitest';
import { type App, type AppOptions, createApp } from '../../src/server/app.ts';
import { readConfig } from '../../src/server/config/config.ts';
import type { Environment } from '../../src/server/config/environment.ts';
import { databaseUrl, TEMPLATE } from './postgres.ts';

export interface TestCaller {
  readonly organisation?: string;
  readonly project?: string;
  readonly projects?: readonly string[];
  readonly roles?: readonly string[];
  readonly subject?: string;
  /** Sent as `X-Project-Identity`. */
  readonly projectHeader?: string;
}

export interface GraphQLAnswer<T> {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly data: T;
  readonly errors?: readonly {
    readonly message: string;
    readonly path?: readonly (string | number)[];
    readonly extensions: Readonly<Record<string, unknown>>;
  }[];
}

/** The real service on a real database and a real port, as a test sees it. */
export interface TestApp {
  readonly app: App;
  readonly url: string;
  readonly database: pg.Pool;
  readonly databaseUrl: string;
  readonly dataDir: string;
  /** All that was logged. */
  readonly logged: () => string;
  readonly clock: { now: Date | null };
  token(caller?: TestCaller): Promise<string>;
  post(body: string, headers?: Record<string, string>): Promise<Response>;
  gql<T, V>(
    document: TadaDocumentNode<T, V>,
    variables: V,
    caller?: TestCaller,
    headers?: Record<string, string>,
  ): Promise<GraphQLAnswer<T>>;
  /** A document that the types would not let through. */
  raw(
    query: string | DocumentNode,
    variables?: unknown,
    caller?: TestCaller,
    headers?: Record<string, string>,
  ): Promise<GraphQLAnswer<Record<string, unknown>>>;
  /** Stops the service and starts another on the same database and data directory. */
  restart(): Promise<TestApp>;
  /** Starts the stopped service again on the same database and data directory, configured otherwise. */
  again(environment: Environment): Promise<TestApp>;
  /** Another gateway on the same database and data directory, with a clock of its own; closed before this one. */
  peer(environment?: Environment): Promise<TestApp>;
  /** Starts the stopped service on another database, with the same data directory. */
  on(databaseUrl: string): Promise<TestApp>;
  /** Stops the service and leaves its database and data directory. */
  stop(): Promise<void>;
  close(): Promise<void>;
}

export const ADMIN: TestCaller = { roles: ['strongroom:admin'] };

interface Place {
  readonly dataDir: string;
  readonly databaseUrl: string;
  readonly environment: Environment;
  readonly options: Pick<AppOptions, 'external'>;
}

export async function testApp(
  environment: Environment = {},
  options: Place['options'] = {},
): Promise<TestApp> {
  const dataDir = await mkdtemp(join(tmpdir(), 'strongroom-app-'));
  const server = inject('postgres');
  const name = `test_${randomBytes(8).toString('hex')}`;
  const admin = new pg.Client({ connectionString: server });
  await admin.connect();
  await admin.query(`CREATE DATABASE ${name} TEMPLATE ${TEMPLATE}`);
  await admin.end();
  return startApp({ dataDir, databaseUrl: databaseUrl(server, name), environment, options });
}

/** The service on a database that the test has made, to be migrated by the start. */
export async function testAppOn(databaseUrl: string, environment: Environment = {}): Promise<TestApp> {
  const dataDir = await mkdtemp(join(tmpdir(), 'strongroom-app-'));
  return startApp({ dataDir, databaseUrl, environment, options: {} });
}

async function startApp(place: Place): Promise<TestApp> {
  const { dataDir } = place;
  const lines: string[] = [];
  const clock: TestApp['clock'] = { now: null };
  const config = readConfig({
    DATABASE_URL: place.databaseUrl,
    STRONGROOM_DATA_DIR: dataDir,
    ...place.environment,
  });
  const log = pino({ level: 'debug' }, { write: (line: string) => void lines.push(line) });
  const app = await createApp(config, log, { ...place.options, now: () => clock.now ?? new Date() });
  app.server.listen(0, '127.0.0.1');
  await once(app.server, 'listening');
  const url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
  const database = new pg.Pool({ connectionString: place.databaseUrl, max: 2 });
  const token = async (caller: TestCaller = ADMIN) => {
    if (!app.developmentIssuer) throw new Error('This app has no development issuer.');
    const {
      organisation = 'acme',
      project,
      projects,
      roles = ['strongroom:admin'],
      subject = 'tester',
    } = caller;
    // A clock set ahead must not find the token expired.
    const aheadSeconds = Math.max(0, ((clock.now?.getTime() ?? 0) - Date.now()) / 1000);
    const ttlSeconds = 3600 + Math.ceil(aheadSeconds);
    return app.developmentIssuer.mint({ organisation, project, projects, roles, subject, ttlSeconds });
  };
  const post = (body: string, headers: Record<string, string> = {}) =>
    fetch(`${url}/graphql`, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json', ...headers },
    });
  const raw: TestApp['raw'] = async (query, variables, caller = ADMIN, headers = {}) => {
    const text = typeof query === 'string' ? query : print(query);
    const response = await post(JSON.stringify({ query: text, variables }), {
      authorization: `Bearer ${await token(caller)}`,
      ...(caller.projectHeader !== undefined && { 'x-project-identity': caller.projectHeader }),
      ...headers,
    });
    const body = await response.text();
    const parsed = JSON.parse(body) as Pick<GraphQLAnswer<Record<string, unknown>>, 'data' | 'errors'>;
    return { status: response.status, headers: response.headers, text: body, ...parsed };
  };
  const close = async () => {
    await app.close();
    await database.end();
  };
  return {
    ...{ app, url, database, dataDir, clock, token, post, raw, databaseUrl: place.databaseUrl },
    logged: () => lines.join(''),
    gql: async <T, V>(
      document: TadaDocumentNode<T, V>,
      variables: V,
      caller?: TestCaller,
      headers?: Record<string, string>,
    ) => (await raw(document, variables, caller, headers)) as unknown as GraphQLAnswer<T>,
    peer: async (environment = {}) => {
      const peer = await startApp({ ...place, environment: { ...place.environment, ...environment } });
      return { ...peer, close: () => peer.stop() };
    },
    again: (environment) => startApp({ ...place, environment: { ...place.environment, ...environment } }),
    on: (databaseUrl) => startApp({ ...place, databaseUrl }),
    stop: close,
    restart: async () => {
      await close();
      return startApp(place);
    },
    close: async () => {
      await close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** Base64 of text, as SecretData travels. */
export function data(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64');
}

/** A path that no other test uses. */
export function freshPath(name = 'secret'): string {
  return `/test/${randomUUID()}/${name}`;
}
