import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { kmsKeysOf } from '../support/kms-keys.ts';
import { type TestApp, testApp } from '../support/test-app.ts';

let app: TestApp;
let peer: TestApp;
let keys: ReturnType<typeof kmsKeysOf>;
let identity: string;

beforeAll(async () => {
  app = await testApp();
  peer = await app.peer();
  keys = kmsKeysOf(app);
  identity = await keys.created();
});
afterAll(async () => {
  await peer.close();
  await app.close();
});

const head = async () =>
  (
    await app.database.query<{ n: number }>(
      "SELECT sequence::int AS n FROM audit_head WHERE organisation = 'acme'",
    )
  ).rows[0]?.n ?? 0;

describe('reads that come together', () => {
  test('are committed together, each with its own events, in one unbroken chain', async () => {
    const secrets = await Promise.all(
      Array.from({ length: 8 }, (_, n) => keys.secretUnder(identity, `v${n}`)),
    );
    const before = await head();
    const values = await Promise.all(
      Array.from({ length: 120 }, (_, n) => keys.read(secrets[n % 8]?.path ?? '')),
    );
    expect(values).toEqual(Array.from({ length: 120 }, (_, n) => `v${n % 8}`));
    const { rows } = await app.database.query<{ events: number; requests: number; commits: number }>(
      `SELECT count(*)::int AS events, count(DISTINCT request_id)::int AS requests,
         count(DISTINCT xmin::text)::int AS commits
       FROM audit_event WHERE organisation = 'acme' AND sequence > $1`,
      [before],
    );
    expect(rows[0]).toMatchObject({ events: 240, requests: 120 });
    expect(rows[0]?.commits).toBeLessThan(100);
    expect(await head()).toBe(before + 240);
  });

  test('fail and succeed each by itself', async () => {
    const { path } = await keys.secretUnder(identity, 'there');
    const answers = await Promise.all([
      ...Array.from({ length: 10 }, () => keys.read(path)),
      ...Array.from({ length: 10 }, () => keys.read(`${path}/missing`)),
      ...Array.from({ length: 10 }, () => keys.read(path, 7)),
    ]);
    expect(answers.slice(0, 10)).toEqual(Array(10).fill('there'));
    expect(answers.slice(10)).toEqual(Array(20).fill('NOT_FOUND'));
  });

  test('and writes, on two gateways at once, leave one chain without a gap, a fork or a deadlock', async () => {
    const there = kmsKeysOf(peer);
    const secrets = await Promise.all(Array.from({ length: 6 }, () => keys.secretUnder(identity)));
    const before = await head();
    const work = Array.from({ length: 160 }, (_, n) => {
      const { path } = secrets[n % 6] ?? { path: '' };
      const on = n % 2 === 0 ? keys : there;
      return n % 5 === 0 ? on.put(path, `put ${n}`) : on.read(path);
    });
    for (const answer of await Promise.all(work)) expect(answer).toBeTruthy();
    const { rows } = await app.database.query<{ n: number; broken: number; failed: number }>(
      `SELECT count(*)::int AS n,
         count(*) FILTER (WHERE previous_hash IS DISTINCT FROM before)::int AS broken,
         count(*) FILTER (WHERE outcome <> 'SUCCESS')::int AS failed
       FROM (SELECT *, lag(hash, 1, (SELECT hash FROM audit_event WHERE organisation = 'acme' AND sequence = $1))
               OVER (ORDER BY sequence) AS before
             FROM audit_event WHERE organisation = 'acme' AND sequence > $1) AS later`,
      [before],
    );
    expect(rows[0]).toEqual({ n: 320, broken: 0, failed: 0 });
    expect(await head()).toBe(before + 320);
  });
});

describe('without a log', () => {
  const ready = async () => (await fetch(`${app.url}/ready`)).status;

  test('no value is returned and nothing changes; /ready is red, and green again once events can be written', async () => {
    const { path } = await keys.secretUnder(identity, 'unseen');
    const before = await head();
    expect(await ready()).toBe(200);
    await app.database.query('REVOKE INSERT ON audit_event FROM strongroom_service');
    try {
      expect(await keys.read(path)).toBe('INTERNAL_SERVER_ERROR');
      await expect(keys.put(path, 'unwritten')).resolves.toBeNull();
      await expect(keys.change('disableKmsKey', { identity })).rejects.toThrow('INTERNAL_SERVER_ERROR');
      await eventually(async () => (await ready()) === 503, 3_000);
    } finally {
      await app.database.query('GRANT INSERT ON audit_event TO strongroom_service');
    }
    expect(await head()).toBe(before);
    expect(await keys.read(path)).toBe('unseen');
    expect(await keys.state(identity)).toMatchObject({ status: 'ACTIVE' });
    await eventually(async () => (await ready()) === 200, 3_000);
  });

  test('that is locked up nothing hangs: an error comes within a bounded time, to whoever waits behind it too', async () => {
    const { path } = await keys.secretUnder(identity, 'unseen');
    const owner = new pg.Client({ connectionString: app.databaseUrl });
    await owner.connect();
    await owner.query('BEGIN; LOCK TABLE audit_event IN ACCESS EXCLUSIVE MODE');
    const since = performance.now();
    const answers = Promise.all(Array.from({ length: 700 }, () => keys.read(path)));
    await eventually(async () => (await ready()) === 503, 5_000);
    expect(new Set(await answers)).not.toContain('unseen');
    expect(performance.now() - since).toBeLessThan(24_000);
    await owner.query('ROLLBACK');
    await owner.end();
    expect(await keys.read(path)).toBe('unseen');
    await eventually(async () => (await ready()) === 200, 3_000);
  });

  test('the service’s own role may not change or remove what is written', async () => {
    const client = new pg.Client({ connectionString: app.databaseUrl });
    await client.connect();
    await client.query('SET ROLE strongroom_service');
    for (const statement of [
      "UPDATE audit_event SET action = 'other'",
      'DELETE FROM audit_event',
      'TRUNCATE audit_event',
    ]) {
      await expect(client.query(statement)).rejects.toThrow('permission denied');
    }
    // Nor what a search by time rests on, by a trigger of its own for the owner's function.
    await client.query('CREATE TEMPORARY TABLE own (organisation text, sequence bigint)');
    const trigger = 'CREATE TRIGGER own AFTER INSERT ON own FOR EACH ROW EXECUTE FUNCTION note_audit_span()';
    await expect(client.query(trigger)).rejects.toThrow('permission denied');
    await client.query('RESET ROLE');
    await expect(client.query('DELETE FROM audit_event')).rejects.toThrow('append-only');
    await client.end();
  });
});
