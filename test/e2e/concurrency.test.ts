import { afterAll, beforeAll, expect, test } from 'vitest';
import { data, freshPath, type TestApp, testApp } from '../support/test-app.ts';
import * as doc from './documents.ts';

let app: TestApp;
let kmsKeyIdentity: string;

beforeAll(async () => {
  app = await testApp();
  kmsKeyIdentity = (await app.gql(doc.KMS_KEYS, {})).data.kmsKeys?.nodes[0]?.identity ?? '';
});
afterAll(() => app.close());

const create = async (path = freshPath()) => {
  const value = { secretString: data('first') };
  return (await app.gql(doc.CREATE, { input: { path, kmsKeyIdentity, value } })).data.createSecret;
};
const put = async (path: string, text: string, expectedVersion?: number) =>
  (await app.gql(doc.PUT, { input: { path, value: { secretString: data(text) }, expectedVersion } })).data
    .putSecretValue;
const typenames = (answers: readonly ({ readonly __typename: string } | null | undefined)[]) =>
  answers.map((answer) => answer?.__typename ?? '').sort();

test('concurrent creations on one path make one secret', async () => {
  const path = freshPath();
  const answers = await Promise.all(Array.from({ length: 10 }, () => create(path)));
  expect(typenames(answers)).toEqual([
    ...Array.from({ length: 9 }, () => 'AlreadyExistsError'),
    'SecretVersionPayload',
  ]);
});

test('of concurrent puts with the same expectation exactly one wins', async () => {
  const path = freshPath();
  await create(path);
  const answers = await Promise.all(Array.from({ length: 10 }, (_, n) => put(path, `${n}`, 1)));
  expect(typenames(answers)).toEqual([
    ...Array.from({ length: 9 }, () => 'ConflictError'),
    'SecretVersionPayload',
  ]);
});

test('concurrent puts get a number each, and each number opens to what was put under it', async () => {
  const path = freshPath();
  await create(path);
  const texts = Array.from({ length: 10 }, (_, n) => `value ${n}`);
  const answers = await Promise.all(texts.map((text) => put(path, text)));
  const numbers = answers.map((answer) =>
    answer?.__typename === 'SecretVersionPayload' ? answer.version.number : 0,
  );
  expect([...numbers].sort((a, b) => a - b)).toEqual(texts.map((_, n) => n + 2));
  for (const [n, version] of numbers.entries()) {
    const read = await app.gql(doc.GET, { input: { path, version } });
    expect(read.data.getSecretValue).toMatchObject({ secretString: data(texts[n] ?? '') });
  }
});

test('forty reads and writes over the same secrets in different orders wait for no one for ever', async () => {
  const paths = Array.from({ length: 12 }, () => freshPath());
  await Promise.all(paths.map((path) => create(path)));
  const rotated = (n: number) => [...paths.slice(n % 12), ...paths.slice(0, n % 12)];
  const answers = await Promise.all(
    Array.from({ length: 40 }, async (_, n) => {
      const order = n % 2 ? rotated(n) : rotated(n).reverse();
      if (n % 4 === 3) {
        return Promise.all(order.slice(0, 3).map((path) => put(path, `by ${n}`))).then((made) => {
          expect(typenames(made)).toEqual(Array.from({ length: 3 }, () => 'SecretVersionPayload'));
        });
      }
      const answer = await app.gql(doc.GET_MANY, { input: { secrets: order.map((path) => ({ path })) } });
      expect(answer.errors).toBeUndefined();
      const many = answer.data.getSecretValues;
      const results = many?.__typename === 'GetSecretValuesPayload' ? many.results : [];
      expect(typenames(results)).toEqual(paths.map(() => 'SecretValue'));
    }),
  );
  expect(answers).toHaveLength(40);
  const { rows } = await app.database.query<{ deadlocks: number }>(
    'SELECT deadlocks::int FROM pg_stat_database WHERE datname = current_database()',
  );
  expect(rows).toEqual([{ deadlocks: 0 }]);
});

test('a purge fails no read: the secret beside it is answered, itself with its value or as missing', async () => {
  const healthy = freshPath();
  await create(healthy);
  for (let round = 0; round < 20; round++) {
    const victim = freshPath();
    await create(victim);
    const [answer, purged] = await Promise.all([
      app.gql(doc.GET_MANY, { input: { secrets: [{ path: victim }, { path: healthy }] } }),
      app.gql(doc.DELETE, { input: { path: victim, recoveryWindowDays: 0 } }),
    ]);
    expect(purged.data.deleteSecret?.__typename).toBe('PurgeSecretPayload');
    expect(answer.errors).toBeUndefined();
    const many = answer.data.getSecretValues;
    const [first, second] = typenames(many?.__typename === 'GetSecretValuesPayload' ? many.results : []);
    expect(['SecretValue', 'NotFoundError']).toContain(first);
    expect(second).toBe('SecretValue');
    expect((await app.gql(doc.GET, { input: { path: victim } })).data.getSecretValue).toMatchObject({
      code: 'NOT_FOUND',
    });
  }
});

test('after all of it the audit chain has no gap and every event links to the one before', async () => {
  const { rows } = await app.database.query<{ sequence: string; previous_hash: Buffer; hash: Buffer }>(
    "SELECT sequence, previous_hash, hash FROM audit_event WHERE organisation = 'acme' ORDER BY sequence",
  );
  expect(rows.length).toBeGreaterThan(500);
  expect(rows.map(({ sequence }) => Number(sequence))).toEqual(rows.map((_, index) => index + 1));
  rows.slice(1).forEach((row, index) => {
    expect(row.previous_hash.equals(rows[index]?.hash ?? Buffer.alloc(0))).toBe(true);
  });
  const head = await app.database.query<{ sequence: string; hash: Buffer }>(
    "SELECT sequence, hash FROM audit_head WHERE organisation = 'acme'",
  );
  expect(head.rows).toEqual([{ sequence: rows.at(-1)?.sequence, hash: rows.at(-1)?.hash }]);
});
