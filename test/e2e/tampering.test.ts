import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { decodeEntries, encodeEntries } from '../../src/kms/envelope/entries.ts';
import { eventsOf } from '../support/audit-events.ts';
import { eventually } from '../support/eventually.ts';
import { kmsKeysOf, requestTask } from '../support/kms-keys.ts';
import { databaseUrl, TEMPLATE } from '../support/postgres.ts';
import { ADMIN, data, freshPath, type TestApp, type TestCaller, testApp } from '../support/test-app.ts';
import * as doc from './documents.ts';

/** What who may write to the tables can do with rows: change them, swap them, move them, bring old ones back. */
const SEALED = ['wrapped_data_key', 'ciphertext'] as const;
const PROJECT: TestCaller = { organisation: 'acme', project: 'shop' };

let app: TestApp;
let keys: ReturnType<typeof kmsKeysOf>;
let elsewhere: pg.Pool;

/** Two regions, each with a database and a root key of its own. */
beforeAll(async () => {
  const server = inject('postgres');
  const name = `region_${randomBytes(8).toString('hex')}`;
  const admin = new pg.Client({ connectionString: server });
  await admin.connect();
  await admin.query(`CREATE DATABASE ${name} TEMPLATE ${TEMPLATE}`);
  await admin.end();
  const there = databaseUrl(server, name);
  const rootKey = () => randomBytes(32).toString('base64');
  app = await testApp({
    STRONGROOM_REGIONS: JSON.stringify([
      { name: 'eu-1', rootKey: rootKey() },
      { name: 'us-1', databaseUrl: there, rootKey: rootKey() },
    ]),
  });
  keys = kmsKeysOf(app);
  elsewhere = new pg.Pool({ connectionString: there, max: 2 });
});
afterAll(async () => {
  await app.close();
  await elsewhere.end();
});

interface Sealed {
  readonly wrapped_data_key: Buffer;
  readonly ciphertext: Buffer;
  readonly kms_key_version: number;
}

async function rowOf(id: string, number = 1, database = app.database): Promise<Sealed> {
  const { rows } = await database.query<Sealed>(
    'SELECT wrapped_data_key, ciphertext, kms_key_version FROM secret_version WHERE secret_id = $1 AND number = $2',
    [id, number],
  );
  return rows[0] ?? expect.fail('There is no such row.');
}
async function withId({ path }: { readonly path: string }) {
  const { rows } = await app.database.query<{ id: string }>('SELECT id FROM secret WHERE path = $1', [path]);
  return { path, id: rows[0]?.id ?? expect.fail('There is no such secret.') };
}
async function write(id: string, number: number, columns: Partial<Sealed>): Promise<void> {
  for (const [column, value] of Object.entries(columns)) {
    await app.database.query(
      `UPDATE secret_version SET ${column} = $3 WHERE secret_id = $1 AND number = $2`,
      [id, number, value],
    );
  }
}
function clearCaches(): void {
  for (const { keyCache } of app.app.regions) keyCache.clear();
}

/** Every answer to a value that did not open, without the id of its request. */
const answers = new Set<string>();
const told = (answer: {
  readonly status: number;
  readonly data: unknown;
  readonly errors?: readonly object[];
}) => {
  const errors = answer.errors?.map((error) => {
    const { message, extensions } = error as { message: string; extensions: Record<string, unknown> };
    const { requestId, ...rest } = extensions;
    expect(requestId).toMatch(/^[0-9a-f-]{36}$/);
    return { message, extensions: rest };
  });
  return JSON.stringify({ status: answer.status, data: answer.data, errors });
};

type Backup = readonly { readonly table: string; readonly row: object }[];
const TABLES = ['kms_key', 'kms_key_version', 'secret', 'secret_version'] as const;

/** All rows of a KMS key and of what rests on it. */
async function backUp(identity: string): Promise<Backup> {
  const backup: { table: string; row: object }[] = [];
  for (const table of TABLES) {
    const column = table === 'kms_key' ? 'identity' : 'kms_key_identity';
    const { rows } = await app.database.query<{ row: object }>(
      `SELECT to_jsonb(t) - 'path_key' AS row FROM ${table} t WHERE ${column} = $1`,
      [identity],
    );
    backup.push(...rows.map(({ row }) => ({ table, row })));
  }
  return backup;
}
async function putBack(database: pg.Pool, backup: Backup): Promise<void> {
  for (const { table, row } of backup) {
    const columns = Object.keys(row).join(', ');
    await database.query(
      `INSERT INTO ${table} (${columns}) SELECT ${columns} FROM jsonb_populate_record(NULL::${table}, $1)`,
      [JSON.stringify(row)],
    );
  }
}

interface At {
  readonly version?: number;
  readonly caller?: TestCaller;
  readonly region?: string;
}

/** It opens to nobody, whatever is cached, with the one answer, and each attempt is an event. */
async function expectNothing(path: string, { version, caller = ADMIN, region }: At = {}): Promise<void> {
  const read = async () => {
    const answer = await app.gql(doc.GET, { input: { path, version, region } }, caller);
    answers.add(told({ ...answer, data: answer.data.getSecretValue }));
  };
  const attempts = async () => {
    await read();
    clearCaches();
    await read();
  };
  if (region !== undefined) return attempts();
  const events = await eventsOf(app, attempts, caller.organisation);
  expect(events).toMatchObject(
    [1, 2].map(() => ({
      ...{ action: 'secret.getValue', outcome: 'FAILED', error_code: 'DECRYPTION_FAILED', resource: path },
    })),
  );
}

describe.each([
  ['warm', 'AES256_GCM96' as const, { secretString: data('v') }, 1 + 5 + 28 + 1],
  [
    'cold',
    'CHACHA20_POLY1305' as const,
    { secretKeyValues: [{ key: 'a', value: data('v') }] },
    1 + 6 + 28 + 1,
  ],
])('with the key cache %s, a value under a key of %s', (cache, keyType, value, ciphertextBytes) => {
  const ROWS = 100;
  const secrets: { readonly id: string; readonly path: string }[] = [];

  beforeAll(async () => {
    const kmsKeyIdentity = await keys.created({ keyType });
    for (let from = 0; from < ROWS; from += 10) {
      const made = Array.from({ length: 10 }, async () => {
        const path = freshPath();
        await app.gql(doc.CREATE, { input: { path, kmsKeyIdentity, value } });
        return withId({ path });
      });
      secrets.push(...(await Promise.all(made)));
    }
  });

  const flip = (column: string, bits: readonly number[]) =>
    app.database.query(
      `UPDATE secret_version v SET ${column} = set_bit(${column}, f.bit, 1 - get_bit(${column}, f.bit))
       FROM unnest($1::uuid[], $2::int[]) AS f (id, bit) WHERE v.secret_id = f.id`,
      [secrets.slice(0, bits.length).map(({ id }) => id), bits],
    );
  const readAll = async (count: number) => {
    const input = { secrets: secrets.slice(0, count).map(({ path }) => ({ path })) };
    const answer = await app.gql(doc.GET_MANY, { input });
    if (answer.data.getSecretValues?.__typename !== 'GetSecretValuesPayload') throw new Error(answer.text);
    return { results: answer.data.getSecretValues.results, answer };
  };

  test.each(SEALED)(
    'opens with no bit of its row’s %s flipped, and is an event each time',
    async (column) => {
      const bytes = column === 'ciphertext' ? ciphertextBytes : 60;
      expect((await rowOf(secrets[0]?.id ?? ''))[column].byteLength).toBe(bytes);
      for (let from = 0; from < bytes * 8; from += ROWS) {
        const bits = Array.from({ length: Math.min(ROWS, bytes * 8 - from) }, (_, at) => from + at);
        await flip(column, bits);
        if (cache === 'cold') clearCaches();
        const events = await eventsOf(app, async () => {
          const { results, answer } = await readAll(bits.length);
          expect(results, `${cache}, from bit ${from}`).toEqual(bits.map(() => null));
          expect(answer.errors?.map(({ path }) => path)).toEqual(
            bits.map((_, at) => ['getSecretValues', 'results', at]),
          );
          for (const error of answer.errors ?? []) {
            answers.add(told({ status: answer.status, data: null, errors: [error] }));
          }
        });
        expect(events.map((event) => event.error_code)).toEqual(bits.map(() => 'DECRYPTION_FAILED'));
        await flip(column, bits);
      }
      const { results } = await readAll(ROWS);
      expect(results.map((result) => result?.__typename)).toEqual(secrets.map(() => 'SecretValue'));
    },
  );
});

describe('rows that are swapped', () => {
  /** Swaps columns of two versions, does `check`, and swaps back. */
  async function swapped(
    [a, b]: readonly (readonly [string, number])[],
    columns: readonly (keyof Sealed)[],
    check: () => Promise<void>,
  ): Promise<void> {
    if (!a || !b) throw new Error('Two are swapped.');
    const [ofA, ofB] = [await rowOf(...a), await rowOf(...b)];
    const only = (row: Sealed) => Object.fromEntries(columns.map((column) => [column, row[column]]));
    await write(...a, only(ofB));
    await write(...b, only(ofA));
    await check();
    await write(...a, only(ofA));
    await write(...b, only(ofB));
  }
  const COLUMNS: [string, (keyof Sealed)[]][] = [
    ['both', [...SEALED]],
    ['the wrapped data key', ['wrapped_data_key']],
    ['the ciphertext', ['ciphertext']],
  ];

  test.each(COLUMNS)('between secrets open nowhere: %s', async (_what, columns) => {
    const identity = await keys.created();
    const [a, b] = [
      await withId(await keys.secretUnder(identity, 'a')),
      await withId(await keys.secretUnder(identity, 'b')),
    ];
    await swapped(
      [
        [a.id, 1],
        [b.id, 1],
      ],
      columns,
      async () => {
        await expectNothing(a.path);
        await expectNothing(b.path);
      },
    );
    expect([await keys.read(a.path), await keys.read(b.path)]).toEqual(['a', 'b']);
  });

  test.each(COLUMNS)('between versions open nowhere: %s', async (_what, columns) => {
    const secret = await withId(await keys.secretUnder(await keys.created(), 'one'));
    await keys.put(secret.path, 'two');
    await swapped(
      [
        [secret.id, 1],
        [secret.id, 2],
      ],
      columns,
      async () => {
        await expectNothing(secret.path, { version: 1 });
        await expectNothing(secret.path, { version: 2 });
      },
    );
    expect([await keys.read(secret.path, 1), await keys.read(secret.path, 2)]).toEqual(['one', 'two']);
  });

  test('between entries of one value open nowhere', async () => {
    const path = freshPath();
    const value = {
      secretKeyValues: ['a', 'b'].map((key) => ({ key, value: data(`value of ${key}`) })),
    };
    await app.gql(doc.CREATE, { input: { path, kmsKeyIdentity: await keys.created(), value } });
    const { id } = await withId({ path });
    const { ciphertext } = await rowOf(id);
    const [a, b] = [...decodeEntries(ciphertext)];
    if (!a || !b) throw new Error('There are two entries.');
    const crossed = [
      { name: a[0], sealed: b[1] },
      { name: b[0], sealed: a[1] },
    ];
    await write(id, 1, { ciphertext: encodeEntries(crossed) });
    await expectNothing(path);
    await write(id, 1, { ciphertext: encodeEntries(crossed.slice(0, 1)) });
    await expectNothing(path);
  });

  test('between KMS keys open nowhere, their material too', async () => {
    const [one, two] = [await keys.created(), await keys.created()];
    const [a, b] = [
      await withId(await keys.secretUnder(one, 'a')),
      await withId(await keys.secretUnder(two, 'b')),
    ];
    await swapped(
      [
        [a.id, 1],
        [b.id, 1],
      ],
      [...SEALED],
      async () => {
        await expectNothing(a.path);
        await expectNothing(b.path);
      },
    );
    const swapMaterial = () =>
      app.database.query(
        `UPDATE kms_key_version v SET wrapped_material = o.wrapped_material FROM kms_key_version o
         WHERE (v.kms_key_identity, o.kms_key_identity) IN (($1, $2), ($2, $1))`,
        [one, two],
      );
    await swapMaterial();
    await expectNothing(a.path);
    await expectNothing(b.path);
    await swapMaterial();
    expect([await keys.read(a.path), await keys.read(b.path)]).toEqual(['a', 'b']);
  });

  test('between generations of a KMS key open nowhere', async () => {
    const identity = await keys.created();
    const secret = await withId(await keys.secretUnder(identity, 'one'));
    await keys.change('rotateKmsKey', { identity });
    await keys.put(secret.path, 'two');
    await swapped(
      [
        [secret.id, 1],
        [secret.id, 2],
      ],
      ['kms_key_version'],
      async () => {
        await expectNothing(secret.path, { version: 1 });
        await expectNothing(secret.path, { version: 2 });
      },
    );
    await app.database.query(
      `UPDATE kms_key_version v SET wrapped_material = o.wrapped_material FROM kms_key_version o
       WHERE v.kms_key_identity = $1 AND o.kms_key_identity = $1 AND (v.number, o.number) IN ((1, 2), (2, 1))`,
      [identity],
    );
    await expectNothing(secret.path, { version: 1 });
    await expectNothing(secret.path, { version: 2 });
  });

  test('into another project, key and all, open nowhere', async () => {
    const inProject = kmsKeysOf(app, PROJECT);
    const identity = await inProject.created();
    const { path } = await inProject.secretUnder(identity, 'of the shop');
    expect(await inProject.read(path)).toBe('of the shop');
    for (const [project, caller] of [
      ['depot', { organisation: 'acme', project: 'depot' }],
      ['', ADMIN],
    ] as const) {
      await app.database.query('UPDATE kms_key SET project = $1 WHERE identity = $2', [project, identity]);
      await app.database.query('UPDATE secret SET project = $1 WHERE kms_key_identity = $2', [
        project,
        identity,
      ]);
      await expectNothing(path, { caller });
    }
  });

  test('into another organisation, key and all, open nowhere', async () => {
    const identity = await keys.created();
    const { path } = await keys.secretUnder(identity, 'of acme');
    await app.database.query("UPDATE kms_key SET organisation = 'rival' WHERE identity = $1", [identity]);
    await app.database.query("UPDATE secret_version SET organisation = 'rival' WHERE kms_key_identity = $1", [
      identity,
    ]);
    await expectNothing(path, { caller: { organisation: 'rival' } });
  });

  test('into another region, key and all, open nowhere', async () => {
    const identity = await keys.created();
    const { path } = await keys.secretUnder(identity, 'of the EU');
    await putBack(elsewhere, await backUp(identity));
    expect(await keys.read(path)).toBe('of the EU');
    await expectNothing(path, { region: 'us-1' });
    const { rows } = await elsewhere.query(
      "SELECT error_code FROM audit_event WHERE action = 'secret.getValue' AND resource = $1",
      [path],
    );
    expect(rows).toEqual([{ error_code: 'DECRYPTION_FAILED' }, { error_code: 'DECRYPTION_FAILED' }]);
  });
});

describe('an old row that is brought back', () => {
  const secretOf = async (identity: string, text: string) => withId(await keys.secretUnder(identity, text));

  test('as a later version does not open: a rotated password cannot be turned back', async () => {
    const { path, id } = await secretOf(await keys.created(), 'leaked');
    await keys.put(path, 'rotated');
    const { wrapped_data_key, ciphertext } = await rowOf(id, 1);
    await write(id, 2, { wrapped_data_key, ciphertext });
    await expectNothing(path);
    expect(await keys.read(path, 1)).toBe('leaked');
  });

  test('at its old path does not open after the secret was moved', async () => {
    const { path, id } = await secretOf(await keys.created(), 'moved');
    const before = await rowOf(id);
    const deleted = await app.gql(doc.DELETE, { input: { path } });
    if (deleted.data.deleteSecret?.__typename !== 'SecretPayload') throw new Error(deleted.text);
    const moved = freshPath();
    const input = { id: deleted.data.deleteSecret.secret?.id ?? '', path: moved };
    await app.gql(doc.RESTORE, { input });
    expect(await keys.read(moved)).toBe('moved');
    await write(id, 1, { wrapped_data_key: before.wrapped_data_key });
    await expectNothing(moved);
    await app.database.query('UPDATE secret SET path = $1 WHERE id = $2', [path, id]);
    // The whole of the old row at its old path is what it was: the same value, sealed for that row.
    expect(await keys.read(path)).toBe('moved');
  });

  test('from before a rewrap does not open under the newer number, and with its own opens to the same value', async () => {
    const identity = await keys.created();
    const { path, id } = await secretOf(identity, 'same');
    const before = await rowOf(id);
    await keys.change('rotateKmsKey', { identity });
    expect(await keys.rewrap(identity)).toMatchObject({ rewrapped: 1, remaining: 0 });
    await write(id, 1, { wrapped_data_key: before.wrapped_data_key });
    await expectNothing(path);
    // Nothing is won by it: it is the version's own data key, and the ciphertext never changed.
    await write(id, 1, { kms_key_version: before.kms_key_version });
    expect(await keys.read(path)).toBe('same');
  });

  test('of a destroyed version opens while its KMS key lives: who keeps backups keeps the value', async () => {
    const { path, id } = await secretOf(await keys.created(), 'destroyed');
    const { wrapped_data_key, ciphertext } = await rowOf(id);
    await app.gql(doc.DESTROY, { input: { path, version: 1 } });
    expect(await keys.read(path, 1)).toBe('VERSION_DESTROYED');
    await app.database.query(
      `UPDATE secret_version SET status = 'ACTIVE', wrapped_data_key = $2, ciphertext = $3, destroyed_at = NULL,
         destroyed_by_subject = NULL, destroyed_by_issuer = NULL WHERE secret_id = $1`,
      [id, wrapped_data_key, ciphertext],
    );
    expect(await keys.read(path, 1)).toBe('destroyed');
  });

  test('under a deleted KMS key opens with no other material', async () => {
    const identity = await keys.created();
    const { path } = await secretOf(identity, 'shredded');
    const backup = await backUp(identity);
    await app.gql(doc.DELETE, { input: { path, recoveryWindowDays: 0 } });
    await keys.change('scheduleKmsKeyDeletion', { identity });
    app.clock.now = new Date(Date.now() + 31 * 86_400_000);
    await requestTask(app, 'destroy-scheduled-keys');
    await eventually(async () => (await keys.state(identity)) === null);
    app.clock.now = null;
    await putBack(
      app.database,
      backup.filter(({ table }) => table !== 'kms_key_version'),
    );
    expect(await keys.read(path)).toBe('KEY_UNAVAILABLE');
    await app.database.query(
      `INSERT INTO kms_key_version (organisation, kms_key_identity, number, wrapped_material, root_key_id, created_at)
       SELECT organisation, $1, 1, wrapped_material, root_key_id, created_at FROM kms_key_version
       WHERE kms_key_identity <> $1 AND organisation = 'acme' AND number = 1 LIMIT 1`,
      [identity],
    );
    await expectNothing(path);
  });
});

describe('a value that does not open', () => {
  test('is not rolled back to, nor restored elsewhere, nor rewrapped, and stays as it is', async () => {
    const identity = await keys.created();
    const { path } = await keys.secretUnder(identity, 'one');
    await keys.put(path, 'two');
    const { id } = await withId({ path });
    const broken = Buffer.from((await rowOf(id)).wrapped_data_key).map((byte) => byte ^ 1);
    await write(id, 1, { wrapped_data_key: Buffer.from(broken) });
    const rollback = await app.gql(doc.ROLLBACK, { input: { path, toVersion: 1 } });
    answers.add(told({ ...rollback, data: rollback.data.rollbackSecret }));
    await keys.change('rotateKmsKey', { identity });
    expect(await keys.rewrap(identity)).toMatchObject({ rewrapped: 1, remaining: 1 });
    const deleted = await app.gql(doc.DELETE, { input: { path } });
    if (deleted.data.deleteSecret?.__typename !== 'SecretPayload') throw new Error(deleted.text);
    const input = { id: deleted.data.deleteSecret.secret?.id ?? '', path: freshPath() };
    const restored = await app.gql(doc.RESTORE, { input });
    answers.add(told({ ...restored, data: restored.data.restoreSecret }));
    expect((await rowOf(id)).wrapped_data_key.equals(broken)).toBe(true);
  });
});

test('whatever was done to a row, the answer was the same', () => {
  expect([...answers].map((answer) => JSON.parse(answer) as unknown)).toEqual([
    {
      status: 200,
      data: null,
      errors: [{ message: 'Unexpected error.', extensions: { code: 'INTERNAL_SERVER_ERROR' } }],
    },
  ]);
});
