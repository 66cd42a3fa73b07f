import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { SecretBytes } from '../../src/kms/envelope/secret-bytes.ts';
import { ExternalKeyError } from '../../src/kms/provider.ts';
import { BoundedProvider } from '../../src/kms/providers/bounded.ts';
import { eventsOf } from '../support/audit-events.ts';
import { eventually } from '../support/eventually.ts';
import { kmsKeysOf, requestTask } from '../support/kms-keys.ts';
import { gateOf, RemoteProvider } from '../support/remote-provider.ts';
import { data, freshPath, type TestApp, testApp } from '../support/test-app.ts';
import * as doc from './documents.ts';

/** The provider's own timeout; it is given half a second more. */
const TIMEOUT_MS = 1_000;
const MOST_MS = TIMEOUT_MS + 500;
const SLOW_MS = 200;

let app: TestApp;
let outside: RemoteProvider;
let keys: ReturnType<typeof kmsKeysOf>;
let remoteKey: string;
let hangingKey: string;
let localKey: string;

beforeAll(async () => {
  outside = new RemoteProvider('outside');
  app = await testApp(
    {},
    {
      external: {
        providers: [new BoundedProvider(outside, TIMEOUT_MS, () => undefined)],
        mayBind: () => true,
      },
    },
  );
  keys = kmsKeysOf(app);
  localKey = (await app.gql(doc.KMS_KEYS, {})).data.kmsKeys?.nodes[0]?.identity ?? '';
  remoteKey = await keys.created({ provider: 'outside', externalKeyId: 'payments' });
  hangingKey = await keys.created({ provider: 'outside', externalKeyId: 'hanging' });
});
afterEach(() => {
  outside.gate = outside.failure = undefined;
  outside.delayMs = 0;
  outside.forgetCalls();
});
afterAll(() => app.close());

const isZero = (key: SecretBytes) => key.reveal().every((byte) => byte === 0);
const forgetCached = () => {
  for (const { keyCache } of app.app.regions) keyCache.clear();
};
const getMany = async (paths: readonly string[]) => {
  const input = { secrets: paths.map((path) => ({ path })) };
  const answer = (await app.gql(doc.GET_MANY, { input })).data.getSecretValues;
  if (answer?.__typename !== 'GetSecretValuesPayload') throw new Error(JSON.stringify(answer));
  return answer.results.map((result) => {
    if (result && 'code' in result) return result.code;
    return Buffer.from(result?.secretString ?? '', 'base64').toString();
  });
};
const timed = async <T>(work: () => Promise<T>) => {
  const from = performance.now();
  const result = await work();
  return { result, ms: performance.now() - from };
};
const rows = async (path: string) =>
  (
    await app.database.query<{ number: number; kms_key_version: number }>(
      `SELECT v.number, v.kms_key_version FROM secret s JOIN secret_version v ON v.secret_id = s.id
       WHERE s.path = $1 ORDER BY v.number`,
      [path],
    )
  ).rows;
/** Connections of the service that have a transaction open. */
const openTransactions = async () => {
  const { rows } = await app.database.query<{ n: number }>(
    `SELECT count(*)::int AS n FROM pg_stat_activity
     WHERE datname = current_database() AND pid <> pg_backend_pid() AND state LIKE 'idle in transaction%'`,
  );
  return rows[0]?.n ?? 0;
};

describe('a key that its provider cannot bind', () => {
  test.each([
    ['missing', 'INVALID_INPUT'],
    [null, 'INVALID_INPUT'],
  ])('is refused by name: %s', async (externalKeyId, code) => {
    const input = { name: 'unbound', keyType: 'AES256_GCM96', provider: 'outside', externalKeyId };
    const answer = await keys.run('createKmsKey', 'CreateKmsKeyInput', input, '');
    expect(answer).toMatchObject({ code, field: ['input', 'externalKeyId'] });
  });

  test('whose provider is away is unavailable, and no key is left behind', async () => {
    outside.failure = () => new Error('connect ECONNREFUSED');
    const input = { name: 'away', keyType: 'AES256_GCM96', provider: 'outside', externalKeyId: 'away' };
    const answer = await keys.run('createKmsKey', 'CreateKmsKeyInput', input, '');
    expect(answer.code).toBe('KEY_UNAVAILABLE');
    const { rows } = await app.database.query("SELECT FROM kms_key WHERE name = 'away'");
    expect(rows).toEqual([]);
  });
});

describe('while the provider is slow', () => {
  /** Does it with every call held until it has been seen that no transaction waits with it. */
  const withoutTransactions = async <T>(work: () => Promise<T>): Promise<T> => {
    let most = 0;
    outside.gate = async () => {
      most = Math.max(most, await openTransactions());
      await sleep(SLOW_MS);
      most = Math.max(most, await openTransactions());
    };
    const result = await work();
    expect(outside.calls.length).toBeGreaterThan(0);
    expect(most).toBe(0);
    return result;
  };

  test('no transaction is open during a create, a put, a read or a rollback, and each works', async () => {
    const path = freshPath();
    await withoutTransactions(() => keys.secretUnder(remoteKey, 'first', path));
    expect(outside.calls).toEqual([{ method: 'wrap', key: 'payments', generation: 1 }]);
    await withoutTransactions(() => keys.put(path, 'second'));
    forgetCached();
    expect(await withoutTransactions(() => keys.read(path))).toBe('second');
    await withoutTransactions(() => app.gql(doc.ROLLBACK, { input: { path, toVersion: 1 } }));
    expect(await keys.read(path)).toBe('first');
    expect(await rows(path)).toHaveLength(3);
  });

  test('no transaction is open during a restore to another path, and all versions open there', async () => {
    const { path, id } = await keys.secretUnder(remoteKey, 'first');
    await keys.put(path, 'second');
    await app.gql(doc.DELETE, { input: { path } });
    const moved = freshPath();
    const answer = await withoutTransactions(() => app.gql(doc.RESTORE, { input: { id, path: moved } }));
    expect(answer.data.restoreSecret).toMatchObject({ __typename: 'SecretPayload' });
    forgetCached();
    expect([await keys.read(moved, 1), await keys.read(moved, 2)]).toEqual(['first', 'second']);
  });

  test('no transaction is open during a rotation and a rewrap, and what was sealed before opens', async () => {
    const identity = await keys.created({ provider: 'outside', externalKeyId: 'rotating' });
    const { path } = await keys.secretUnder(identity, 'first');
    expect(await withoutTransactions(() => keys.change('rotateKmsKey', { identity }))).toMatchObject({
      kmsKey: { latestVersion: '2' },
    });
    expect(await keys.put(path, 'second')).toMatchObject({ version: { kmsKeyVersion: '2' } });
    expect(await withoutTransactions(() => keys.rewrap(identity))).toMatchObject({
      rewrapped: 1,
      remaining: 0,
    });
    expect((await rows(path)).map((row) => row.kms_key_version)).toEqual([2, 2]);
    forgetCached();
    expect([await keys.read(path, 1), await keys.read(path, 2)]).toEqual(['first', 'second']);
  });

  test('a hundred values are read with one call each, all at once', async () => {
    const secrets = await Promise.all(
      Array.from({ length: 100 }, (_, n) => keys.secretUnder(remoteKey, `value ${n}`)),
    );
    const paths = secrets.map(({ path }) => path);
    const expected = paths.map((_, n) => `value ${n}`);
    forgetCached();
    outside.forgetCalls();
    outside.delayMs = SLOW_MS;
    const { result, ms } = await timed(() => getMany(paths));
    expect(result).toEqual(expected);
    expect(outside.count('unwrap')).toBe(100);
    expect(outside.calls).toHaveLength(100);
    expect(outside.mostAtOnce).toBe(100);
    expect(ms).toBeLessThan(10 * SLOW_MS);
    // The second time from the cache.
    expect(await getMany(paths)).toEqual(expected);
    expect(outside.calls).toHaveLength(100);
  });

  test('two requests at once that need more calls than may run at once read every value', async () => {
    const batches: { readonly values: string[]; readonly paths: string[] }[] = [];
    for (const batch of [0, 1]) {
      const values = Array.from({ length: 70 }, (_, n) => `value ${batch}/${n}`);
      const paths: string[] = [];
      for (let from = 0; from < values.length; from += 10) {
        const some = values.slice(from, from + 10).map((value) => keys.secretUnder(remoteKey, value));
        paths.push(...(await Promise.all(some)).map(({ path }) => path));
      }
      batches.push({ values, paths });
    }
    forgetCached();
    outside.forgetCalls();
    outside.delayMs = SLOW_MS;
    const results = await Promise.all(batches.map(({ paths }) => getMany(paths)));
    expect(results).toEqual(batches.map(({ values }) => values));
    expect(outside.count('unwrap')).toBe(140);
    expect(outside.mostAtOnce).toBe(128);
  });

  test('twenty puts of one secret at the same time all get a number, and each opens to what was put', async () => {
    const { path } = await keys.secretUnder(remoteKey, 'first');
    outside.delayMs = SLOW_MS;
    const texts = Array.from({ length: 20 }, (_, n) => `put ${n}`);
    const answers = await Promise.all(texts.map((text) => keys.put(path, text)));
    const numbers = answers.map(({ version }) => version?.number ?? 0);
    expect([...numbers].sort((a, b) => a - b)).toEqual(texts.map((_, n) => n + 2));
    outside.delayMs = 0;
    for (const [n, text] of texts.entries()) expect(await keys.read(path, numbers[n])).toBe(text);
  });
});

describe('while the provider hangs', () => {
  const hang = () => {
    const { gate, open } = gateOf();
    outside.gate = (externalKeyId) => (externalKeyId === 'hanging' ? gate : undefined);
    return open;
  };

  test('its keys are unavailable within its timeout, for reads and for writes, and that is an event', async () => {
    const { path } = await keys.secretUnder(hangingKey, 'first');
    forgetCached();
    const open = hang();
    for (const attempt of [() => keys.read(path), async () => (await keys.put(path, 'second')).code]) {
      const { result, ms } = await timed(async () => {
        const events = await eventsOf(app, async () => expect(await attempt()).toBe('KEY_UNAVAILABLE'));
        return events.map(({ outcome, error_code }) => ({ outcome, error_code }));
      });
      expect(ms).toBeGreaterThan(TIMEOUT_MS - 50);
      expect(ms).toBeLessThan(MOST_MS + 1_000);
      expect(result).toEqual([{ outcome: 'FAILED', error_code: 'KEY_UNAVAILABLE' }]);
    }
    open();
    expect(await keys.read(path)).toBe('first');
  });

  test('no transaction waits with it, and values under other keys are read meanwhile as fast as ever', async () => {
    const hanging = await Promise.all(Array.from({ length: 30 }, () => keys.secretUnder(hangingKey)));
    const local = await keys.secretUnder(localKey, 'local');
    const remote = await keys.secretUnder(remoteKey, 'remote');
    forgetCached();
    const open = hang();
    // More at once than the service has connections.
    const waiting = Promise.all(hanging.map(({ path }) => keys.read(path)));
    await eventually(() => Promise.resolve(outside.running === 30));
    expect(await openTransactions()).toBe(0);
    for (const { path } of [local, remote, local, remote]) {
      const { result, ms } = await timed(() => keys.read(path));
      expect(result).toBe(path === local.path ? 'local' : 'remote');
      expect(ms).toBeLessThan(TIMEOUT_MS / 2);
    }
    expect(await waiting).toEqual(hanging.map(() => 'KEY_UNAVAILABLE'));
    open();
  });

  test('the rest of a batch is read', async () => {
    const [hanging, local, remote] = [
      await keys.secretUnder(hangingKey),
      await keys.secretUnder(localKey, 'local'),
      await keys.secretUnder(remoteKey, 'remote'),
    ];
    forgetCached();
    const open = hang();
    const { result, ms } = await timed(() =>
      getMany([hanging, local, hanging, remote].map(({ path }) => path)),
    );
    open();
    expect(result).toEqual(['KEY_UNAVAILABLE', 'local', 'KEY_UNAVAILABLE', 'remote']);
    expect(ms).toBeLessThan(MOST_MS + 1_000);
  });
});

describe('while the provider is away', () => {
  const away = () => void (outside.failure = () => new Error('connect ECONNREFUSED'));

  test('a put writes nothing and loses nothing, and the same put works afterwards', async () => {
    const { path } = await keys.secretUnder(remoteKey, 'first');
    const before = await rows(path);
    away();
    expect((await keys.put(path, 'second')).code).toBe('KEY_UNAVAILABLE');
    expect(await rows(path)).toEqual(before);
    // What was unwrapped before is still read.
    outside.failure = undefined;
    expect(await keys.read(path)).toBe('first');
    away();
    expect(await keys.read(path)).toBe('first');
    outside.failure = undefined;
    expect(await keys.put(path, 'second')).toMatchObject({ version: { number: 2 } });
    expect(await keys.read(path)).toBe('second');
  });

  test('a create, a rollback, a restore elsewhere, a rotation and a rewrap change nothing', async () => {
    const identity = await keys.created({ provider: 'outside', externalKeyId: 'lost' });
    const { path } = await keys.secretUnder(identity, 'first');
    const gone = await keys.secretUnder(identity, 'gone');
    await app.gql(doc.DELETE, { input: { path: gone.path } });
    await keys.change('rotateKmsKey', { identity });
    const stateOf = async () => {
      const tables = ['secret', 'secret_version', 'kms_key', 'kms_key_version', 'idempotency_record'];
      const contents: string[] = [];
      for (const table of tables) {
        const { rows } = await app.database.query<{ digest: string }>(
          `SELECT md5(string_agg(t::text, '' ORDER BY t::text)) AS digest FROM ${table} t`,
        );
        contents.push(rows[0]?.digest ?? '');
      }
      return contents;
    };
    const before = await stateOf();
    away();
    forgetCached();
    const created = freshPath();
    const value = { secretString: data('new') };
    const answers = [
      (
        await app.gql(doc.CREATE, {
          input: { path: created, kmsKeyIdentity: identity, value, idempotencyKey: 'lost' },
        })
      ).data.createSecret,
      (await app.gql(doc.ROLLBACK, { input: { path, toVersion: 1 } })).data.rollbackSecret,
      (await app.gql(doc.RESTORE, { input: { id: gone.id, path: freshPath() } })).data.restoreSecret,
      await keys.change('rotateKmsKey', { identity }),
      await keys.rewrap(identity),
    ];
    expect(answers).toMatchObject(answers.map(() => ({ code: 'KEY_UNAVAILABLE' })));
    expect(await stateOf()).toEqual(before);
    outside.failure = undefined;
    expect(await keys.read(path)).toBe('first');
    expect(await keys.rewrap(identity)).toMatchObject({ rewrapped: 2, remaining: 0 });
  });
});

describe('while an external key is refused by its provider', () => {
  const refuse = (key: string) =>
    void (outside.failure = (externalKeyId) =>
      externalKeyId === key ? new ExternalKeyError('There is no such key.') : undefined);

  test('it cannot be rotated: that is told as an unavailable key, and is an event', async () => {
    const identity = await keys.created({ provider: 'outside', externalKeyId: 'refused' });
    refuse('refused');
    const events = await eventsOf(app, async () => {
      expect(await keys.change('rotateKmsKey', { identity })).toMatchObject({ code: 'KEY_UNAVAILABLE' });
    });
    expect(events).toMatchObject([
      { action: 'kms.rotateKey', outcome: 'FAILED', error_code: 'KEY_UNAVAILABLE' },
    ]);
  });

  test('keys of others that are due are rotated all the same', async () => {
    const [first, second] = ['aaaa', 'zzzz'].map((organisation) =>
      kmsKeysOf(app, { organisation, roles: ['strongroom:admin'] }),
    );
    const due = { rotationPeriodDays: 1 };
    await first?.created({ provider: 'outside', externalKeyId: 'refused too', ...due });
    const identity = (await second?.created(due)) ?? '';
    refuse('refused too');
    app.clock.now = new Date(Date.now() + 2 * 86_400_000);
    await requestTask(app, 'rotate-due-keys');
    await eventually(async () => (await second?.state(identity))?.latestVersion === '2');
    app.clock.now = null;
  });

  test('reads of it fail alone, whoever reads at the same time', async () => {
    const identity = await keys.created({ provider: 'outside', externalKeyId: 'refused at last' });
    const refused = await keys.secretUnder(identity);
    const local = await keys.secretUnder(localKey, 'local');
    forgetCached();
    refuse('refused at last');
    const paths = Array.from({ length: 10 }, (_, n) => (n % 2 === 0 ? local.path : refused.path));
    expect(await Promise.all(paths.map((path) => keys.read(path)))).toEqual(
      paths.map((path) => (path === local.path ? 'local' : 'KEY_UNAVAILABLE')),
    );
  });
});

describe('a data key whose version is gone leaves the memory of every gateway', () => {
  let other: TestApp;
  beforeAll(async () => {
    other = await app.peer();
  });
  afterAll(() => other.close());

  const purged = async ({ path, id }: { readonly path: string; readonly id: string }) => {
    await app.gql(doc.DELETE, { input: { path } });
    return app.gql(doc.PURGE, { input: { id } });
  };
  test.each([
    ['destroyed', ({ path }: { path: string }) => app.gql(doc.DESTROY, { input: { path, version: 1 } })],
    ['purged', purged],
    [
      'rewrapped and destroyed',
      async ({ path }: { path: string }, identity: string) => {
        await keys.change('rotateKmsKey', { identity });
        // Now it lies there as it was wrapped before, too.
        for (const one of [keys, kmsKeysOf(other)]) expect(await one.read(path, 1)).toBe('gone soon');
        expect(await keys.rewrap(identity)).toMatchObject({ rewrapped: 1 });
        return app.gql(doc.DESTROY, { input: { path, version: 1 } });
      },
    ],
  ])('%s: at once on the one that did it, within 2 seconds on the other', async (externalKeyId, remove) => {
    const identity = await keys.created({ provider: 'outside', externalKeyId });
    const secret = await keys.secretUnder(identity, 'gone soon');
    const here: SecretBytes[] = [];
    const there: SecretBytes[] = [];
    for (const [gateway, held] of [
      [app, here],
      [other, there],
    ] as const) {
      const before = outside.handedOut.length;
      expect(await kmsKeysOf(gateway).read(secret.path, 1)).toBe('gone soon');
      held.push(...outside.handedOut.slice(before));
      expect(held).toHaveLength(1);
      expect(held.every(isZero)).toBe(false);
    }
    const before = outside.handedOut.length;
    const answer = await remove(secret, identity);
    expect(answer.errors).toBeUndefined();
    expect(here.every(isZero)).toBe(true);
    await eventually(
      () => Promise.resolve([...there, ...outside.handedOut.slice(before)].every(isZero)),
      2_000,
    );
  });

  test('the purge of what is past its recovery window: on both within 2 seconds', async () => {
    const identity = await keys.created({ provider: 'outside', externalKeyId: 'expiring' });
    const { path } = await keys.secretUnder(identity, 'gone soon');
    const before = outside.handedOut.length;
    for (const one of [keys, kmsKeysOf(other)]) expect(await one.read(path)).toBe('gone soon');
    const held = outside.handedOut.slice(before);
    expect(held.map(isZero)).toEqual([false, false]);
    await app.gql(doc.DELETE, { input: { path } });
    await app.database.query("UPDATE secret SET purge_at = now() - interval '1 day' WHERE path = $1", [path]);
    await requestTask(app, 'purge-expired-secrets');
    const isGone = async () =>
      (await app.database.query('SELECT FROM secret WHERE path = $1', [path])).rows.length === 0;
    await eventually(isGone);
    await eventually(() => Promise.resolve(held.every(isZero)), 2_000);
  });
});

test('every data key that the provider handed out is zeroed in the end, but for what the cache holds', () => {
  expect(outside.handedOut.length).toBeGreaterThan(100);
  forgetCached();
  expect(outside.handedOut.every((key) => key.reveal().every((byte) => byte === 0))).toBe(true);
});

test('what the provider failed with is told to nobody', () => {
  expect(app.logged()).not.toContain('ECONNREFUSED');
});
