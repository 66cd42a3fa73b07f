import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Database } from '../../../src/db/database.ts';
import { Notifications } from '../../../src/db/notifications.ts';
import { PolicyStore } from '../../../src/resolvers/operation/policy-store.ts';
import * as documents from '../../e2e/documents.ts';
import * as doc from '../../e2e/policy-documents.ts';
import { data, freshPath, type TestApp, testApp } from '../../support/test-app.ts';

let app: TestApp;
let other: TestApp;
let kmsKeyIdentity: string;

beforeAll(async () => {
  app = await testApp();
  other = await app.peer();
  kmsKeyIdentity = (await app.gql(documents.KMS_KEYS, {})).data.kmsKeys?.nodes[0]?.identity ?? '';
});
afterAll(async () => {
  await other.close();
  await app.close();
});

const SCOPE = { organisation: 'acme', project: '' };
const fresh = (name: string) => `${name}-${randomUUID()}`;

async function put(at: TestApp, name: string, role: string, effect: 'ALLOW' | 'DENY' = 'ALLOW') {
  const permissions = ['SECRET_READ', 'SECRET_UPDATE'] as const;
  const statements = [{ name: 's', effect, permissions: [...permissions], resources: ['secret:/**'] }];
  const input = { name, statements, subjects: [{ kind: 'ROLE' as const, value: role }] };
  expect((await at.gql(doc.PUT_POLICY, { input })).data.putPolicy).toMatchObject({ policy: { name } });
}
async function isAllowed(at: TestApp, role: string): Promise<boolean | undefined> {
  const input = { permission: 'SECRET_READ' as const, resource: 'secret:/a' };
  return (await at.gql(doc.EXPLAIN, { input }, { roles: [role] })).data.explainAccess?.allowed;
}
/** How long it takes until the gateway decides so. */
async function untilAllowed(at: TestApp, role: string, allowed: boolean): Promise<number> {
  const started = performance.now();
  while ((await isAllowed(at, role)) !== allowed) {
    if (performance.now() - started > 5_000) throw new Error('It never came to be decided so.');
    await sleep(10);
  }
  return performance.now() - started;
}

test('a right taken on one gateway is gone there at once, and on every other within 2 seconds', async () => {
  const [name, role] = [fresh('p'), fresh('role')];
  await put(app, name, role);
  expect(await isAllowed(app, role)).toBe(true);
  expect(await untilAllowed(other, role, true)).toBeLessThan(2_000);
  for (let round = 0; round < 5; round++) {
    const denying = fresh('deny');
    await put(app, denying, role, 'DENY');
    const elsewhere = untilAllowed(other, role, false);
    expect(await isAllowed(app, role)).toBe(false);
    expect(await elsewhere).toBeLessThan(2_000);
    await app.gql(doc.DELETE_POLICY, { input: { name: denying } });
    expect(await isAllowed(app, role)).toBe(true);
    expect(await untilAllowed(other, role, true)).toBeLessThan(2_000);
  }
});

test('a gateway that hears nothing more learns of a change within 2 seconds all the same', async () => {
  const role = fresh('role');
  expect(await isAllowed(other, role)).toBe(false);
  await app.database.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE datname = current_database() AND application_name = 'strongroom notifications'`,
  );
  await put(app, fresh('p'), role);
  expect(await isAllowed(app, role)).toBe(true);
  expect(await untilAllowed(other, role, true)).toBeLessThan(2_000);
});

test('policies are kept until a change is heard of, and nothing is kept while nothing is heard', async () => {
  const db = new Database(app.databaseUrl);
  const notifications = await Notifications.open(app.databaseUrl, () => undefined);
  try {
    const store = new PolicyStore(db, notifications);
    const first = await store.of(SCOPE);
    expect(await store.of(SCOPE)).toBe(first);
    expect(store.isKept(SCOPE, first)).toBe(true);
    await put(app, fresh('p'), fresh('role'));
    await expect.poll(() => store.isKept(SCOPE, first), { timeout: 2_000 }).toBe(false);
    const second = await store.of(SCOPE);
    expect(second.policies.length).toBe(first.policies.length + 1);
    expect(second.revision).not.toBe(first.revision);
    // A change of another organisation drops nothing here.
    store.forget('globex');
    expect(await store.of(SCOPE)).toBe(second);
    // What was being loaded when a change came is handed out, and not kept.
    store.forget('acme');
    const loading = store.of(SCOPE);
    store.forget('acme');
    expect(store.isKept(SCOPE, await loading)).toBe(false);
    await notifications.close();
    const deaf = await store.of(SCOPE);
    expect(await store.of(SCOPE)).not.toBe(deaf);
    expect(store.isKept(SCOPE, deaf)).toBe(false);
  } finally {
    await notifications.close();
    await db.close();
  }
});

test('a store that cannot load says so, and loads again when it is asked again', async () => {
  const db = new Database(app.databaseUrl);
  const notifications = await Notifications.open(app.databaseUrl, () => undefined);
  const store = new PolicyStore(db, notifications);
  try {
    await app.database.query('ALTER TABLE policy RENAME TO away');
    await expect(store.of(SCOPE)).rejects.toThrow();
    await app.database.query('ALTER TABLE away RENAME TO policy');
    expect((await store.of(SCOPE)).policies.length).toBeGreaterThan(0);
  } finally {
    await notifications.close();
    await db.close();
  }
});

test('an operation that waits for a lock while its right is taken away does not do it', async () => {
  const role = fresh('role');
  await put(app, fresh('p'), role);
  const path = freshPath();
  await app.gql(documents.CREATE, {
    input: { path, kmsKeyIdentity, value: { secretString: data('x') } },
  });
  const update = () =>
    other.raw(
      `mutation ($path: SecretPath!) { updateSecret(input: { path: $path, description: "changed" }) {
         __typename ... on UserError { code } } }`,
      { path },
      { roles: [role] },
    );
  await untilAllowed(other, role, true);
  expect((await update()).data['updateSecret']).toMatchObject({ __typename: 'SecretPayload' });
  const client = await app.database.connect();
  try {
    await client.query('BEGIN');
    await client.query('SELECT FROM secret WHERE path = $1 FOR UPDATE', [path]);
    const waiting = update();
    await sleep(200);
    await put(app, fresh('deny'), role, 'DENY');
    await sleep(1_200);
    await client.query('COMMIT');
    expect((await waiting).data['updateSecret']).toMatchObject({ code: 'NOT_FOUND' });
  } finally {
    client.release();
  }
});
