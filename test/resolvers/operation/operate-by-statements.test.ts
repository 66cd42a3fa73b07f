import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import * as doc from '../../e2e/documents.ts';
import { PUT_POLICY } from '../../e2e/policy-documents.ts';
import { eventually } from '../../support/eventually.ts';
import { data, freshPath, type TestApp, type TestCaller, testApp } from '../../support/test-app.ts';

let app: TestApp;
let peer: TestApp;
let kmsKeyIdentity: string;

beforeAll(async () => {
  app = await testApp();
  peer = await app.peer();
  kmsKeyIdentity = (await app.gql(doc.KMS_KEYS, {})).data.kmsKeys?.nodes[0]?.identity ?? '';
});
afterAll(async () => {
  await peer.close();
  await app.close();
});

async function create() {
  const path = freshPath();
  const answer = await app.gql(doc.CREATE, {
    input: { path, kmsKeyIdentity, value: { secretString: data('first') } },
  });
  expect(answer.data.createSecret?.__typename).toBe('SecretVersionPayload');
  return path;
}

interface Put {
  readonly path: string;
  readonly text?: string;
  readonly expectedVersion?: number;
  readonly idempotencyKey?: string;
}

async function put({ text = 'next', ...input }: Put, caller?: TestCaller, on = app) {
  const answer = await on.gql(doc.PUT, { input: { ...input, value: { secretString: data(text) } } }, caller);
  const made = answer.data.putSecretValue;
  if (!made) return answer.errors?.[0]?.extensions['code'];
  return made.__typename === 'SecretVersionPayload' ? made.version.number : 'code' in made ? made.code : null;
}

/** All that is stored of a secret, but for the times of its reads. */
async function stored(path: string) {
  const { rows } = await app.database.query<{ secret: unknown; versions: number; claims: number }>(
    `SELECT to_jsonb(s) AS secret,
       (SELECT count(*)::int FROM secret_version v WHERE v.secret_id = s.id) AS versions,
       (SELECT count(*)::int FROM idempotency_record) AS claims
     FROM secret s WHERE path = $1`,
    [path],
  );
  return rows[0];
}

/** What the log has of a path since its creation, effects with it. */
async function eventsAt(path: string) {
  const { rows } = await app.database.query<{ outcome: string; code: string | null; version: number | null }>(
    `SELECT e.outcome, e.error_code AS code, e.version FROM audit_event e
     WHERE e.organisation = 'acme' AND e.action <> 'secret.create' AND e.request_id IN (
       SELECT request_id FROM audit_event WHERE organisation = 'acme' AND resource = $1 AND action = 'secret.putValue')
     ORDER BY e.sequence`,
    [path],
  );
  return rows;
}

/** Runs `work` while somebody else has the secret locked. */
async function whileLocked<T>(
  path: string,
  work: (release: () => Promise<unknown>) => Promise<T>,
): Promise<T> {
  const client = new pg.Client({ connectionString: app.databaseUrl });
  await client.connect();
  try {
    await client.query('BEGIN');
    await client.query('SELECT FROM secret WHERE path = $1 FOR UPDATE', [path]);
    return await work(() => client.query('ROLLBACK'));
  } finally {
    await client.end();
  }
}

const waiting = async () => {
  const { rows } = await app.database.query<{ pid: number }>(
    `SELECT pid FROM pg_stat_activity
     WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%FROM secret s%'`,
  );
  return rows.map(({ pid }) => pid);
};

test('a put that fails after it has locked the secret leaves one event, and nothing else', async () => {
  const path = await create();
  expect(await put({ path, idempotencyKey: `first ${path}` })).toBe(2);
  const before = await stored(path);
  expect(await put({ path, expectedVersion: 1, idempotencyKey: `lost ${path}` })).toBe('CONFLICT');
  expect(await put({ path, text: 'other', idempotencyKey: `first ${path}` })).toBe('IDEMPOTENCY_KEY_REUSED');
  await app.database.query(`UPDATE kms_key SET status = 'DISABLED'`);
  try {
    expect(await put({ path, idempotencyKey: `lost ${path}` })).toBe('KEY_UNAVAILABLE');
  } finally {
    await app.database.query(`UPDATE kms_key SET status = 'ACTIVE'`);
  }
  expect(await stored(path)).toEqual(before);
  expect((await eventsAt(path)).slice(2)).toMatchObject([
    { outcome: 'FAILED', code: 'CONFLICT' },
    { outcome: 'FAILED', code: 'IDEMPOTENCY_KEY_REUSED' },
    { outcome: 'FAILED', code: 'KEY_UNAVAILABLE' },
  ]);
  expect(await put({ path })).toBe(3);
});

test('a put whose event cannot be written leaves nothing, refused or not', async () => {
  const path = await create();
  const before = await stored(path);
  await app.database.query('REVOKE INSERT ON audit_event FROM strongroom_service');
  try {
    expect(await put({ path, idempotencyKey: `lost ${path}` })).toBe('INTERNAL_SERVER_ERROR');
    expect(await put({ path, expectedVersion: 7 })).toBe('INTERNAL_SERVER_ERROR');
    expect(await put({ path }, { roles: [] })).toBe('INTERNAL_SERVER_ERROR');
  } finally {
    await app.database.query('GRANT INSERT ON audit_event TO strongroom_service');
  }
  expect(await stored(path)).toEqual(before);
  expect(await eventsAt(path)).toEqual([]);
  expect(await put({ path })).toBe(2);
});

test('a put that waited while its right was taken is refused, with one event', async () => {
  const path = await create();
  const role = `role-${path.slice(1)}`.replaceAll('/', '-');
  const grant = async (name: string, effect: 'ALLOW' | 'DENY') => {
    const permissions = ['SECRET_READ', 'SECRET_PUT_VALUE'] as const;
    const statements = [
      { name: 's', effect, permissions: [...permissions], resources: ['secret:/**'] },
      { name: 'k', effect, permissions: ['KMS_KEY_USE' as const], resources: ['kms-key:*'] },
    ];
    const input = { name, statements, subjects: [{ kind: 'ROLE' as const, value: role }] };
    expect((await app.gql(PUT_POLICY, { input })).data.putPolicy?.__typename).toBe('PolicyPayload');
  };
  await grant(`allow-${role}`, 'ALLOW');
  await eventually(async () => (await put({ path }, { roles: [role] })) === 2, 3_000);
  const before = await eventsAt(path);
  await whileLocked(path, async (release) => {
    const answer = put({ path }, { roles: [role] });
    await eventually(async () => (await waiting()).length === 1, 3_000);
    await grant(`deny-${role}`, 'DENY');
    await sleep(500);
    await release();
    expect(await answer).toBe('NOT_FOUND');
  });
  expect((await eventsAt(path)).slice(before.length)).toEqual([
    { outcome: 'DENIED', code: 'ACCESS_DENIED', version: null },
  ]);
  expect(await stored(path)).toMatchObject({ versions: 2 });
});

test('a put whose connection is lost writes nothing, and the gateway goes on', async () => {
  const path = await create();
  await whileLocked(path, async (release) => {
    const answer = put({ path });
    await eventually(async () => (await waiting()).length === 1, 3_000);
    await app.database.query('SELECT pg_terminate_backend($1)', (await waiting()).slice(0, 1));
    expect(await answer).toBe('INTERNAL_SERVER_ERROR');
    await release();
  });
  expect(await eventsAt(path)).toEqual([]);
  expect(await Promise.all(Array.from({ length: 8 }, () => put({ path })))).toHaveLength(8);
  expect(await stored(path)).toMatchObject({ versions: 9 });
});

test('puts that fail among others, on two gateways at once, take none with them and leave an event each', async () => {
  const paths = await Promise.all(Array.from({ length: 4 }, create));
  const refused: readonly { put: Omit<Put, 'path'>; caller?: TestCaller; answers: string }[] = [
    { put: { expectedVersion: 99 }, answers: 'CONFLICT' },
    { put: {}, caller: { roles: ['secrets:ReadAccess'] }, answers: 'ACCESS_DENIED' },
    { put: {}, caller: { roles: [] }, answers: 'NOT_FOUND' },
  ];
  const outcomes = await Promise.all(
    Array.from({ length: 160 }, async (_, n) => {
      const path = paths[n % 4] ?? '';
      const failing = n % 3 === 0 ? refused[(n / 3) % 3] : undefined;
      const answer = await put({ ...failing?.put, path }, failing?.caller, n % 2 === 0 ? app : peer);
      return { path, failing: failing?.answers, answer };
    }),
  );
  for (const path of paths) {
    const mine = outcomes.filter((outcome) => outcome.path === path);
    for (const { failing, answer } of mine) if (failing) expect(answer).toBe(failing);
    const made = mine.flatMap(({ failing, answer }) => (failing ? [] : [Number(answer)]));
    expect(made.sort((a, b) => a - b)).toEqual(made.map((_, index) => index + 2));
    expect(await stored(path)).toMatchObject({
      secret: { latest_version: made.length + 1, current_version: made.length + 1 },
      versions: made.length + 1,
    });
    const events = await eventsAt(path);
    expect(events.filter(({ outcome }) => outcome === 'SUCCESS')).toHaveLength(2 * made.length);
    expect(events.filter(({ outcome }) => outcome !== 'SUCCESS')).toHaveLength(mine.length - made.length);
  }
  const { rows } = await app.database.query<{ broken: number; gaps: number; deadlocks: number }>(
    `SELECT count(*) FILTER (WHERE previous_hash IS DISTINCT FROM before AND sequence > 1)::int AS broken,
       (max(sequence) - count(*))::int AS gaps,
       (SELECT deadlocks::int FROM pg_stat_database WHERE datname = current_database()) AS deadlocks
     FROM (SELECT *, lag(hash) OVER (ORDER BY sequence) AS before FROM audit_event WHERE organisation = 'acme') e`,
  );
  expect(rows).toEqual([{ broken: 0, gaps: 0, deadlocks: 0 }]);
});
