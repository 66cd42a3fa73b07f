import { randomBytes, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { buildSchema } from 'graphql';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import * as doc from '../documents.ts';
import { documentOf, rootFields } from '../../support/schema-document.ts';
import { referencesOf } from '../../support/schema-inputs.ts';
import { type TestApp, type TestCaller, testApp } from '../../support/test-app.ts';
import { makeThings } from '../../support/things.ts';

/**
 * What is forbidden takes as long as what is not there. The two are asked for by turns, so that a load on the machine
 * meets both, and compared by their medians, which a pause of the machine does not move. A round counts as equal within
 * a quarter of the faster or a millisecond; three rounds may fail before the test does. So it finds a further query in a slow
 * database, a call to a remote KMS, a data key unwrapped or a value opened before the caller is refused, or a wait. It cannot find
 * microseconds: whoever measures from nearer, many thousand times, is not held up by it.
 */
const PAIRS = 200;
const ROUNDS = 4;

const STRANGER: TestCaller = { roles: [], subject: 'stranger' };
/** As large as a value can be: what is loaded before a refusal shows most. */
const VALUE = { secretString: randomBytes(64 * 1024).toString('base64') };

let app: TestApp;
let authorization: string;
let kmsKeyIdentity: string;
let secretId: string;

beforeAll(async () => {
  app = await testApp();
  kmsKeyIdentity = (await app.gql(doc.KMS_KEYS, {})).data.kmsKeys?.nodes[0]?.identity ?? '';
  const { data: made } = await app.gql(doc.CREATE, {
    input: { path: '/timing/there', kmsKeyIdentity, value: VALUE },
  });
  if (made.createSecret?.__typename !== 'SecretVersionPayload')
    throw new Error('The secret was not created.');
  secretId = made.createSecret.secret?.id ?? '';
  authorization = `Bearer ${await app.token(STRANGER)}`;
});
afterAll(() => app.close());

async function millisecondsOf(body: string): Promise<number> {
  const started = performance.now();
  const response = await app.post(body, { authorization });
  await response.text();
  return performance.now() - started;
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

/** The medians of the two, asked by turns, each first as often as the other. */
async function medians(forbidden: string, absent: string): Promise<readonly [number, number]> {
  const times: [number[], number[]] = [[], []];
  for (let pair = 0; pair < PAIRS; pair++) {
    for (const which of pair % 2 === 0 ? ([0, 1] as const) : ([1, 0] as const)) {
      times[which].push(await millisecondsOf(which === 0 ? forbidden : absent));
    }
  }
  return [median(times[0]), median(times[1])];
}

const twinOf = (id: string) => {
  const [type = '', region = ''] = Buffer.from(id, 'base64url').toString().split(':');
  return Buffer.from(`${type}:${region}:${randomUUID()}`).toString('base64url');
};
const there = { path: '/timing/there' };
const absent = { path: '/timing/other' };
const query = (text: string) => (variables: unknown) => JSON.stringify({ query: text, variables });

const OPERATIONS: Readonly<
  Record<
    string,
    readonly [body: (variables: unknown) => string, forbidden: () => unknown, absent: () => unknown]
  >
> = {
  'secret(path)': [
    query('query ($path: SecretPath!) { secret(path: $path) { id } }'),
    () => there,
    () => absent,
  ],
  'getSecretValue(path)': [
    query('query ($input: GetSecretValueInput!) { getSecretValue(input: $input) { __typename } }'),
    () => ({ input: there }),
    () => ({ input: absent }),
  ],
  'putSecretValue(path)': [
    query('mutation ($input: PutSecretValueInput!) { putSecretValue(input: $input) { __typename } }'),
    () => ({ input: { ...there, value: { secretString: 'eA==' } } }),
    () => ({ input: { ...absent, value: { secretString: 'eA==' } } }),
  ],
  'kmsKey(identity)': [
    query('query ($identity: String!) { kmsKey(identity: $identity) { id } }'),
    () => ({ identity: kmsKeyIdentity }),
    () => ({ identity: `kms-${'0'.repeat(20)}` }),
  ],
  'node(id)': [
    query('query ($id: ID!) { node(id: $id) { id } }'),
    () => ({ id: secretId }),
    () => ({ id: twinOf(secretId) }),
  ],
};

test.for(Object.entries(OPERATIONS))(
  'a forbidden one and none take the same time: %s (CVE-2025-6011, CVE-2023-3462)',
  { timeout: 120_000 },
  async ([, [bodyOf, forbidden, missing]]) => {
    const bodies = [bodyOf(forbidden()), bodyOf(missing())] as const;
    for (let warm = 0; warm < 20; warm++) for (const body of bodies) await millisecondsOf(body);
    const rounds: string[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const [one, other] = await medians(...bodies);
      const difference = Math.abs(one - other);
      if (difference <= Math.max(1, Math.min(one, other) / 4)) return;
      rounds.push(`forbidden ${one.toFixed(2)} ms, absent ${other.toFixed(2)} ms`);
      await sleep(500);
    }
    expect(rounds).toEqual([]);
  },
);

const schema = buildSchema(readFileSync(new URL('../../../schema.graphql', import.meta.url), 'utf8'));
const ROOTS = rootFields(schema).filter(({ operation }) => operation !== 'subscription');

/** Every row that a change would lock, but for the ends of the audit chains, which everybody waits for. */
async function lockAll(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT format('%I', table_name) AS name FROM information_schema.columns
     WHERE table_schema = 'public' AND column_name = 'organisation' AND table_name NOT LIKE 'audit%'`,
  );
  expect(rows.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['secret', 'secret_version', 'kms_key']),
  );
  await client.query('BEGIN');
  for (const { name } of rows) await client.query(`SELECT FROM ${name} FOR UPDATE`);
}

test('who is refused waits for no lock, which only what is there can have (CVE-2025-6011)', async () => {
  const theirs = await makeThings(app, schema, { organisation: 'acme' });
  const client = new pg.Client({ connectionString: app.databaseUrl });
  await client.connect();
  try {
    await lockAll(client);
    for (const root of ROOTS) {
      for (const { title, names, variables } of referencesOf(root)) {
        for (const { value } of names(theirs)) {
          const asked = variables(theirs, value);
          const body = JSON.stringify({
            query: documentOf(schema, root, Object.keys(asked)),
            variables: asked,
          });
          const answered = app.post(body, { authorization }).then((response) => response.text());
          const late = sleep(10_000, 'late', { ref: false });
          expect([title, await Promise.race([answered, late])]).not.toEqual([title, 'late']);
        }
      }
    }
  } finally {
    await client.query('ROLLBACK');
    await client.end();
  }
});
