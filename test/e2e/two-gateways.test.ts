import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { kmsKeysOf } from '../support/kms-keys.ts';
import { type TestApp, testApp } from '../support/test-app.ts';

let one: TestApp;
let other: TestApp;
let here: ReturnType<typeof kmsKeysOf>;
let there: ReturnType<typeof kmsKeysOf>;

beforeAll(async () => {
  one = await testApp();
  other = await one.peer();
  here = kmsKeysOf(one);
  there = kmsKeysOf(other);
});
afterAll(async () => {
  await other.close();
  await one.close();
});

test('a key disabled on one gateway opens nothing there at once, nor on another within 2 seconds', async () => {
  for (const [near, far] of [
    [here, there],
    [there, here],
  ] as const) {
    const identity = await near.created();
    const { path } = await near.secretUnder(identity, 'seen');
    expect([await near.read(path), await far.read(path)]).toEqual(['seen', 'seen']);
    await near.change('disableKmsKey', { identity });
    expect(await near.read(path)).toBe('KEY_UNAVAILABLE');
    await eventually(async () => (await far.read(path)) === 'KEY_UNAVAILABLE', 2_000);
    await near.change('enableKmsKey', { identity });
    await eventually(async () => (await far.read(path)) === 'seen', 2_000);
  }
});

test('what a gateway unwrapped of a key is dropped within 2 seconds of a change on another', async () => {
  const identity = await here.created();
  const { path } = await here.secretUnder(identity);
  await there.read(path);
  const cache = other.app.regions[0]?.keyCache;
  const before = cache?.size ?? 0;
  expect(before).toBeGreaterThan(0);
  await here.change('disableKmsKey', { identity });
  await eventually(() => Promise.resolve(cache?.size === before - 1), 2_000);
});

test('a gateway that cannot be told keeps nothing, and again once it listens', async () => {
  const identity = await here.created();
  const { path } = await here.secretUnder(identity, 'open');
  await there.read(path);
  const region = other.app.regions[0];
  expect(region?.keyCache.size).toBeGreaterThan(0);
  await allowConnections(false);
  await elsewhere(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE datname = $1 AND application_name = 'strongroom notifications'`,
    [databaseName()],
  );
  await eventually(() => Promise.resolve(region?.notifications.isListening === false), 2_000);
  expect(region?.keyCache.size).toBe(0);
  expect(await there.read(path)).toBe('open');
  expect(region?.keyCache.size).toBe(0);
  await allowConnections(true);
  await eventually(() => Promise.resolve(region?.notifications.isListening === true), 5_000);
  await sleep(10);
  expect(await there.read(path)).toBe('open');
  expect(region?.keyCache.size).toBe(1);
});

/** Whether a new connection to the database is let in; those that are open stay. */
async function allowConnections(isAllowed: boolean): Promise<void> {
  await elsewhere(`ALTER DATABASE ${databaseName()} ALLOW_CONNECTIONS ${String(isAllowed)}`);
}

function databaseName(): string {
  return new URL(one.databaseUrl).pathname.slice(1);
}

/** Runs a statement from another database of the server. */
async function elsewhere(statement: string, values: readonly string[] = []): Promise<void> {
  const url = new URL(one.databaseUrl);
  url.pathname = '/postgres';
  const server = new pg.Client({ connectionString: url.href });
  await server.connect();
  await server.query(statement, [...values]);
  await server.end();
}
