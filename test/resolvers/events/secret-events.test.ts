import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { Database } from '../../../src/db/database.ts';
import { Prisma } from '../../../src/db/generated/client.ts';
import type { Region } from '../../../src/resolvers/context/request-context.ts';
import { operationsAfter } from '../../../src/resolvers/events/secret-change.ts';
import * as doc from '../../e2e/documents.ts';
import { follow, type FollowedEvent, type FollowOptions } from '../../support/follow.ts';
import { type Gateway, startGateway } from '../../support/gateway.ts';
import { ADMIN, data, freshPath, type TestApp, type TestCaller, testApp } from '../../support/test-app.ts';

const VALUE = `value-${randomUUID()}`;
const PROJECT: TestCaller = { ...ADMIN, project: 'payments' };

let app: TestApp;
let kmsKeyIdentity: string;

beforeAll(async () => {
  app = await testApp();
  kmsKeyIdentity = (await app.gql(doc.KMS_KEYS, {})).data.kmsKeys?.nodes[0]?.identity ?? '';
});
afterAll(() => app.close());

const followed = async (
  variables: FollowOptions['variables'] = {},
  caller: TestCaller = ADMIN,
  at: { readonly url: string } = app,
) => follow({ url: at.url, token: await app.token(caller), variables });

async function create(path = freshPath(), caller?: TestCaller, key = kmsKeyIdentity) {
  const input = { path, kmsKeyIdentity: key, value: { secretString: data(VALUE) } };
  const answer = await app.gql(doc.CREATE, { input }, caller);
  const created = answer.data.createSecret;
  if (created?.__typename !== 'SecretVersionPayload') throw new Error(answer.text);
  return { path, id: created.secret?.id ?? '' };
}

const put = (path: string, idempotencyKey?: string) =>
  app.gql(doc.PUT, { input: { path, value: { secretString: data(VALUE) }, idempotencyKey } });
const told = (events: readonly FollowedEvent[]) =>
  events.map(({ kind, path, version }) => [kind, path, version]);
const cursorsOf = (events: readonly FollowedEvent[]) => events.map(({ cursor }) => cursor);

/** Ends with an event of its own, so that what comes before it is known to be all. */
async function allUntilNow(stream: Awaited<ReturnType<typeof followed>>, below = '') {
  const { path } = await create(`${below}/end/${randomUUID()}`);
  await expect.poll(() => stream.events.at(-1)?.path, { timeout: 15_000, interval: 20 }).toBe(path);
  stream.drop();
  return stream.events.slice(0, -1);
}

async function refusalOf(variables: FollowOptions['variables'], caller?: TestCaller) {
  const stream = await followed(variables, caller);
  expect(await stream.ended).toBe('complete');
  expect(stream.events).toEqual([]);
  return stream.errors.map(({ message, extensions: { code, field } }) => ({ code, field, message }));
}

describe('refused', () => {
  test('whoever has no valid token gets 401 and no stream', async () => {
    const body = JSON.stringify({ query: 'subscription { secretEvents { cursor } }' });
    for (const authorization of ['', 'Bearer eyJ.eyJ.x']) {
      const response = await app.post(body, { accept: 'text/event-stream', authorization });
      expect(response.status).toBe(401);
      expect(response.headers.get('content-type')).toContain('application/json');
      expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: 'UNAUTHENTICATED' } }] });
    }
  });

  test('a path that is none and a region that there is not are told by their fields', async () => {
    for (const pathPrefix of ['', 'app', '/app/', '/app/../x', '/a//b', '/app/%2e%2e', '/app/*']) {
      expect(await refusalOf({ pathPrefix })).toMatchObject([
        { code: 'BAD_USER_INPUT', field: ['pathPrefix'] },
      ]);
    }
    expect(await refusalOf({ region: 'mars-1' })).toMatchObject([
      { code: 'BAD_USER_INPUT', field: ['region'] },
    ]);
  });

  test('a cursor that this scope and region did not give is refused', async () => {
    const stream = await followed();
    await create();
    const [{ cursor } = { cursor: '' }] = await stream.have(1);
    stream.drop();
    const parts = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as unknown[];
    const forged = (...given: unknown[]) => Buffer.from(JSON.stringify(given)).toString('base64url');
    const [list, region, organisation, project, sequence, id] = parts;
    const cursors = [
      ...['', 'x', cursor.slice(1), cursor.slice(0, -3), forged(), forged(null), forged({})],
      forged('secrets:PATH:ASC', region, organisation, project, sequence, id),
      forged(list, 'mars-1', organisation, project, sequence, id),
      forged(list, region, 'globex', project, sequence, id),
      forged(list, region, organisation, 'payments', sequence, id),
      ...['0', '-1', '1e3', '99999999999999999999', Number(sequence), null, [sequence]].map((other) =>
        forged(list, region, organisation, project, other, id),
      ),
      ...['', 'x', null, 'ffffffff-ffff-ffff-ffff-fffffffffff'].map((other) =>
        forged(list, region, organisation, project, sequence, other),
      ),
      forged(...parts, 'more'),
    ];
    const expected = { code: 'BAD_USER_INPUT', field: ['after'] };
    for (const after of cursors) {
      const [refusal] = await refusalOf({ after });
      expect({ after, ...refusal }).toMatchObject({ after, ...expected });
      expect(refusal?.message).toContain('A cursor is one that secretEvents gave');
    }
    for (const stranger of [{ ...ADMIN, organisation: 'globex' }, PROJECT]) {
      expect(await refusalOf({ after: cursor }, stranger)).toMatchObject([expected]);
    }
  });

  test('a cursor of a place that is gone, or that never was in this chain, says to read anew', async () => {
    const stream = await followed();
    await create();
    const [{ cursor } = { cursor: '' }] = await stream.have(1);
    stream.drop();
    const parts = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as [...string[], string, string];
    const at = (sequence: string, id: string) =>
      Buffer.from(JSON.stringify([...parts.slice(0, 4), sequence, id])).toString('base64url');
    const [sequence = '', id = ''] = parts.slice(4);
    for (const after of [at('999999999', id), at(sequence, randomUUID())]) {
      const [refusal] = await refusalOf({ after });
      expect(refusal).toMatchObject({ code: 'BAD_USER_INPUT', field: ['after'] });
      expect(refusal?.message).toContain('no longer kept');
    }
  });

  test('a cursor whose following events retention removed says so; one that lost nothing goes on', async () => {
    const other = await testApp();
    try {
      const key = (await other.gql(doc.KMS_KEYS, {})).data.kmsKeys?.nodes[0]?.identity ?? '';
      const stream = await follow({ url: other.url, token: await other.token() });
      for (const path of ['/a', '/b', '/c']) {
        const input = { path, kmsKeyIdentity: key, value: { secretString: data(VALUE) } };
        await other.gql(doc.CREATE, { input });
      }
      const [a, b, c] = cursorsOf(await stream.have(3));
      stream.drop();
      const upTo = JSON.parse(Buffer.from(b ?? '', 'base64url').toString()) as string[];
      await other.database.query('ALTER TABLE audit_event DISABLE TRIGGER USER');
      await other.database.query('DELETE FROM audit_event WHERE organisation = $1 AND sequence <= $2', [
        'acme',
        upTo[4],
      ]);
      const after = async (cursor = '') =>
        follow({ url: other.url, token: await other.token(), variables: { after: cursor } });
      const lost = await after(a);
      expect(await lost.ended).toBe('complete');
      expect(lost.errors[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', field: ['after'] });
      const kept = await after(b);
      expect(cursorsOf(await kept.have(1))).toEqual([c]);
      kept.drop();
      await other.database.query('DELETE FROM audit_event');
      expect(await (await after(b)).ended).toBe('complete');
      const last = await after(c);
      last.drop();
      expect(last.errors).toEqual([]);
    } finally {
      await other.close();
    }
  });
});

describe('who hears what', () => {
  test('a caller who may not list and read hears nothing, one who may hears it', async () => {
    const deaf = await Promise.all(
      [['kms:ReadAccess'], ['audit:ReadAccess'], []].map((roles) => followed({}, { roles })),
    );
    const reader = await followed({}, { roles: ['secrets:ReadAccess'] });
    const { path } = await create();
    expect(told(await reader.have(1))).toEqual([['CREATED', path, 1]]);
    reader.drop();
    await put(path);
    for (const stream of deaf) {
      expect([stream.events, stream.errors]).toEqual([[], []]);
      stream.drop();
    }
  });

  test('a scope hears its own secrets only, and an organisation not those of its projects', async () => {
    const made = await app.raw(
      'mutation { createKmsKey(input: { name: "payments" }) { ... on KmsKeyPayload { kmsKey { identity } } } }',
      {},
      PROJECT,
    );
    const { identity } = (made.data['createKmsKey'] as { kmsKey: { identity: string } }).kmsKey;
    const organisation = await followed();
    const project = await followed({}, PROJECT);
    const elsewhere = await followed({}, { ...ADMIN, organisation: 'globex' });
    const ofProject = await create(freshPath(), PROJECT, identity);
    const ofOrganisation = await create();
    expect(told(await project.have(1))).toEqual([['CREATED', ofProject.path, 1]]);
    expect(told(await organisation.have(1))).toEqual([['CREATED', ofOrganisation.path, 1]]);
    expect(elsewhere.events).toEqual([]);
    for (const stream of [organisation, project, elsewhere]) stream.drop();
  });

  test('a prefix is taken by segments and leaves out the secret of that very path', async () => {
    const root = `/p${randomUUID()}`;
    const stream = await followed({ pathPrefix: `${root}/app` });
    for (const end of ['app', 'application/x', 'app-1/x', 'App/x', 'app/x', 'other/app/x', 'app/y/z']) {
      await create(`${root}/${end}`);
    }
    expect(told(await allUntilNow(stream, `${root}/app`))).toEqual([
      ['CREATED', `${root}/app/x`, 1],
      ['CREATED', `${root}/app/y/z`, 1],
    ]);
  });
});

describe('what is told', () => {
  test('every change, in order, each once, with its path and version and never a value', async () => {
    const stream = await followed();
    const { path, id } = await create();
    const other = freshPath();
    await put(path);
    await app.gql(doc.ROLLBACK, { input: { path, toVersion: 1 } });
    await app.raw(
      'mutation ($path: SecretPath!) { updateSecret(input: { path: $path, description: "d" }) { __typename } }',
      { path },
    );
    await app.raw(
      'mutation ($path: SecretPath!) { setSecretAccessPolicy(input: { path: $path, accessPolicy: null }) { __typename } }',
      { path },
    );
    await app.gql(doc.DESTROY, { input: { path, version: 2 } });
    await app.gql(doc.DELETE, { input: { path } });
    await app.gql(doc.RESTORE, { input: { id } });
    await app.gql(doc.DELETE, { input: { path } });
    await app.gql(doc.RESTORE, { input: { id, path: other } });
    await app.gql(doc.DELETE, { input: { path: other } });
    await app.gql(doc.PURGE, { input: { id } });
    const last = await create();
    await app.gql(doc.DELETE, { input: { path: last.path, recoveryWindowDays: 0 } });
    const events = await allUntilNow(stream);
    expect(told(events)).toEqual([
      ['CREATED', path, 1],
      ['VALUE_PUT', path, 2],
      ['VALUE_PUT', path, 3],
      ['METADATA_UPDATED', path, null],
      ['ACCESS_POLICY_SET', path, null],
      ['VERSION_DESTROYED', path, 2],
      ['DELETED', path, null],
      ['RESTORED', path, null],
      ['DELETED', path, null],
      ['RESTORED', other, null],
      ['DELETED', other, null],
      ['PURGED', other, null],
      ['CREATED', last.path, 1],
      ['PURGED', last.path, null],
    ]);
    expect(new Set(cursorsOf(events)).size).toBe(events.length);
    for (const { at } of events) expect(new Date(at).toISOString()).toBe(at);
    expect(JSON.stringify(events)).not.toContain(VALUE);
    expect(JSON.stringify(events)).not.toContain(data(VALUE));
  });

  test('not reads, refusals, failures, repeated results, nor operations that changed nothing', async () => {
    const { path } = await create();
    await put(path, 'once');
    await app.gql(doc.DESTROY, { input: { path, version: 1 } });
    const stream = await followed();
    const listener = new pg.Client({ connectionString: app.databaseUrl });
    await listener.connect();
    const heard: unknown[] = [];
    listener.on('notification', ({ payload }) => void heard.push(payload));
    await listener.query('LISTEN strongroom_secret_events');
    await app.gql(doc.GET, { input: { path } });
    await app.gql(doc.GET, { input: { path: '/nowhere' } });
    await put('/nowhere');
    await app.gql(doc.DELETE, { input: { path } }, { roles: ['secrets:ReadAccess'] });
    await put(path, 'once');
    await app.gql(doc.DESTROY, { input: { path, version: 1 } });
    await app.raw('mutation ($path: SecretPath!) { updateSecret(input: { path: $path }) { __typename } }', {
      path,
    });
    expect(await allUntilNow(stream)).toEqual([]);
    // One for each transaction that changed a secret: here only that of the end.
    await expect.poll(() => heard).toEqual(['acme']);
    await listener.end();
  });
});

describe('a cursor', () => {
  test('goes on right after its event, at every place, and without one it begins now', async () => {
    const stream = await followed();
    const paths = [];
    for (let n = 0; n < 4; n++) paths.push((await create()).path);
    const events = [...(await stream.have(4))];
    stream.drop();
    for (const [n, { cursor }] of events.entries()) {
      const resumed = await followed({ after: cursor });
      const rest = events.slice(n + 1);
      expect(await resumed.have(rest.length)).toEqual(rest);
      resumed.drop();
    }
    const fresh = await followed();
    expect(await allUntilNow(fresh)).toEqual([]);
    expect(told(events)).toEqual(paths.map((path) => ['CREATED', path, 1]));
  });

  test('reads any number of pages, and of its own scope through an index alone', async () => {
    const other = await testApp();
    try {
      await other.database.query(insertEvents, ['acme', 'secret.getValue', 1, 20_000]);
      await other.database.query(insertEvents, ['acme', 'secret.putValue', 20_001, 20_350]);
      await other.database.query(
        `INSERT INTO audit_head VALUES ('acme', 20350, '\\x00') ON CONFLICT (organisation) DO UPDATE SET sequence = 20350`,
      );
      await other.database.query('ANALYZE audit_event');
      const { rows } = await other.database.query<{ id: string }>(
        'SELECT id::text FROM audit_event WHERE sequence = 100',
      );
      const cursor = ['secretEvents', 'local-1', 'acme', '', '100', rows[0]?.id];
      const after = Buffer.from(JSON.stringify(cursor)).toString('base64url');
      const stream = await follow({ url: other.url, token: await other.token(), variables: { after } });
      const events = await stream.have(350);
      stream.drop();
      expect(events.map(({ path }) => path)).toEqual(
        Array.from({ length: 350 }, (_, n) => `/e/${20_001 + n}`),
      );
      const lines = await planOf(other);
      expect(lines).toContain('Index Scan using audit_event_secret_change_idx');
      expect(lines).not.toMatch(/Filter|Sort|Seq Scan/);
    } finally {
      await other.close();
    }
  });
});

/** How Postgres goes about the service's own query. */
async function planOf({ databaseUrl }: TestApp): Promise<string> {
  const db = new Database(databaseUrl);
  const $queryRaw = (strings: TemplateStringsArray, ...values: unknown[]) =>
    db.client.$queryRaw`EXPLAIN ${Prisma.sql(strings, ...values)}`;
  const region = { db: { client: { $queryRaw } } } as unknown as Region;
  try {
    const plan = await operationsAfter(region, { organisation: 'acme', project: '' }, 100n);
    return (plan as unknown as { 'QUERY PLAN': string }[]).map((line) => line['QUERY PLAN']).join('\n');
  } finally {
    await db.close();
  }
}

const insertEvents = `
  INSERT INTO audit_event (organisation, sequence, id, at, action, outcome, project, region, actor_subject, actor_issuer,
    actor_roles, resource_type, resource, version, request_id, details, previous_hash, hash)
  SELECT $1, n, gen_random_uuid(), now(), $2, 'SUCCESS', '', 'local-1', 's', 'i', '{}', 'secret', '/e/' || n, 2, 'r', '{}',
    '\\x00', '\\x00'
  FROM generate_series($3::int, $4::int) AS n
  ON CONFLICT DO NOTHING`;

describe('an end', () => {
  test('comes when the token expires, and a new token goes on after the last cursor (CVE-2021-32923)', async () => {
    const issuer = app.app.developmentIssuer;
    if (!issuer) throw new Error('This app has no development issuer.');
    const claims = { organisation: 'acme', roles: ['strongroom:admin'], subject: 'tester', ttlSeconds: 2 };
    const stream = await follow({ url: app.url, token: await issuer.mint(claims) });
    const { path } = await create();
    expect(told(await stream.have(1))).toEqual([['CREATED', path, 1]]);
    expect(await stream.ended).toBe('complete');
    expect(stream.errors).toHaveLength(1);
    expect(stream.errors[0]?.extensions['code']).toBe('UNAUTHENTICATED');
    await put(path);
    expect(stream.events).toHaveLength(1);
    const resumed = await followed({ after: stream.events[0]?.cursor ?? '' });
    expect(told(await resumed.have(1))).toEqual([['VALUE_PUT', path, 2]]);
    resumed.drop();
  });

  test('of an organisation that has as many streams as it may names the limit, and others follow on', async () => {
    const limits = { gateway: 4, organisation: 2, caller: 2 };
    const gateway = await startGateway(app, { followerLimits: limits });
    const by = (subject: string, organisation: string) =>
      followed({}, { ...ADMIN, subject, organisation }, gateway);
    try {
      const open = [await by('a', 'acme'), await by('b', 'acme')];
      const full = await by('c', 'acme');
      expect(await full.ended).toBe('complete');
      expect(full.errors[0]?.message).toBe('An organisation has at most 2 open streams: close one first.');
      const other = await by('a', 'globex');
      await Promise.race([other.ended, new Promise((resolve) => setTimeout(resolve, 200))]);
      expect(other.errors).toEqual([]);
      for (const stream of [...open, other]) stream.drop();
    } finally {
      await gateway.close();
    }
  });

  test('of a caller who has as many streams as it may names the limit, and one that was closed makes room', async () => {
    const limits = { gateway: 4, organisation: 4, caller: 2 };
    const gateway = await startGateway(app, { followerLimits: limits });
    const by = (subject: string) => followed({}, { ...ADMIN, subject }, gateway);
    try {
      const [first, second] = [await by('a'), await by('a')];
      const third = await by('a');
      expect(await third.ended).toBe('complete');
      expect(third.errors).toMatchObject([
        {
          message: 'A caller has at most 2 open streams: close one first.',
          extensions: { code: 'TOO_MANY_STREAMS' },
        },
      ]);
      const [other] = [await by('b'), await by('b')];
      const full = await by('c');
      expect(await full.ended).toBe('complete');
      expect(full.errors[0]?.message).toBe('A gateway has at most 4 open streams: close one first.');
      first.drop();
      other.drop();
      await expect
        .poll(async () => {
          const again = await by('a');
          await Promise.race([again.ended, new Promise((resolve) => setTimeout(resolve, 100))]);
          again.drop();
          return again.errors;
        })
        .toEqual([]);
      expect(second.errors).toEqual([]);
      second.drop();
    } finally {
      await gateway.close();
    }
  });
});

describe('with several gateways', () => {
  let gateways: [Gateway, Gateway];
  beforeAll(async () => {
    gateways = [await startGateway(app), await startGateway(app)];
  });
  afterAll(() => Promise.all(gateways.map((gateway) => gateway.close())));

  const writeAt = async ({ url }: { readonly url: string }, path: string) => {
    const query = `mutation ($input: PutSecretValueInput!) { putSecretValue(input: $input) { __typename } }`;
    const response = await fetch(`${url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${await app.token()}` },
      body: JSON.stringify({ query, variables: { input: { path, value: { secretString: data(VALUE) } } } }),
    });
    return ((await response.json()) as { data?: { putSecretValue?: { __typename: string } } }).data
      ?.putSecretValue?.__typename;
  };

  /** What the log holds of a path's puts, in the order of the chain. */
  const logged = async (prefix: string) => {
    const { rows } = await app.database.query<{ resource: string; version: number }>(
      `SELECT resource, version FROM audit_event WHERE action = 'secret.putValue' AND outcome = 'SUCCESS'
         AND starts_with(resource, $1) ORDER BY sequence`,
      [prefix],
    );
    return rows.map(({ resource, version }) => ['VALUE_PUT', resource, version]);
  };

  test('many writers at once are heard at each, every change once and in one order', async () => {
    const root = `/w${randomUUID()}`;
    const paths = await Promise.all(
      Array.from({ length: 6 }, async (_, n) => (await create(`${root}/${n}`)).path),
    );
    const streams = await Promise.all(
      gateways.map((gateway) => followed({ pathPrefix: root }, ADMIN, gateway)),
    );
    await Promise.all(
      paths.flatMap((path) =>
        gateways.map(async (gateway) => {
          for (let n = 0; n < 5; n++) expect(await writeAt(gateway, path)).toBe('SecretVersionPayload');
        }),
      ),
    );
    const expected = await logged(root);
    expect(expected).toHaveLength(60);
    for (const stream of streams) {
      expect(told(await stream.have(60))).toEqual(expected);
      stream.drop();
    }
  });

  test('nothing is lost or told twice while clients, gateways and connections to Postgres break', async () => {
    const root = `/w${randomUUID()}`;
    const paths = await Promise.all(
      Array.from({ length: 4 }, async (_, n) => (await create(`${root}/${n}`)).path),
    );
    const spare = await startGateway(app);
    const heard: FollowedEvent[] = [];
    const state = { stop: false };
    let drops = 0;
    let last = '';
    const begun = Promise.withResolvers<null>();
    const following = (async () => {
      for (let turn = 0; !state.stop; turn++) {
        const gateway = [spare, ...gateways][turn % 3];
        const variables = last === '' ? { pathPrefix: root } : { pathPrefix: root, after: last };
        try {
          if (!gateway) throw new Error('There is no gateway.');
          const stream = await followed(variables, ADMIN, gateway);
          begun.resolve(null);
          const patience = new Promise((resolve) => setTimeout(resolve, 300));
          await Promise.race([stream.ended, patience]);
          stream.drop();
          drops++;
          heard.push(...stream.events);
          last = heard.at(-1)?.cursor ?? last;
        } catch {
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      }
    })();
    await begun.promise;
    const terminate = () =>
      app.database.query(
        'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()',
      );
    const write = async (path: string, n: number) => {
      for (let k = 0; k < 8; k++) await writeAt(gateways[n % 2 === 0 ? 0 : 1], path).catch(() => null);
    };
    const breaking = (async () => {
      for (let n = 0; n < 3; n++) {
        await new Promise((resolve) => setTimeout(resolve, 400));
        await terminate();
        if (n === 1) await spare.close();
      }
    })();
    await Promise.all([...paths.map(write), breaking]);
    for (const path of paths)
      await expect.poll(() => writeAt(gateways[0], path), { timeout: 10_000 }).toBe('SecretVersionPayload');
    const expected = await logged(root);
    await expect.poll(() => heard.length, { timeout: 20_000 }).toBeGreaterThanOrEqual(expected.length);
    state.stop = true;
    await following;
    expect(told(heard)).toEqual(expected);
    expect(drops).toBeGreaterThan(3);
  }, 60_000);

  test('a stream outlives the loss of every connection of its gateway to Postgres', async () => {
    const root = `/w${randomUUID()}`;
    const { path } = await create(`${root}/a`);
    const streams = await Promise.all(
      gateways.map((gateway) => followed({ pathPrefix: root }, ADMIN, gateway)),
    );
    await app.database.query(
      'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()',
    );
    await expect.poll(() => writeAt(gateways[0], path), { timeout: 10_000 }).toBe('SecretVersionPayload');
    const expected = await logged(root);
    for (const stream of streams) {
      expect(told(await stream.have(expected.length))).toEqual(expected);
      expect(stream.errors).toEqual([]);
      stream.drop();
    }
  });

  test('a gateway that cannot listen finds what happens by looking', async () => {
    const root = `/w${randomUUID()}`;
    const { path } = await create(`${root}/a`);
    const stream = await followed({ pathPrefix: root }, ADMIN, gateways[1]);
    const admin = new pg.Client({ connectionString: inject('postgres') });
    await admin.connect();
    const database = new URL(app.databaseUrl).pathname.slice(1);
    const allow = (allowed: boolean) =>
      admin.query(`ALTER DATABASE ${database} ALLOW_CONNECTIONS ${String(allowed)}`);
    // The connections that are there go on; the one that listens cannot come back.
    await allow(false);
    try {
      await app.database.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = 'strongroom notifications'`,
      );
      await expect.poll(() => gateways[1].logged()).toContain('notifications interrupted');
      expect(await writeAt(gateways[0], path)).toBe('SecretVersionPayload');
      expect(told(await stream.have(1))).toEqual([['VALUE_PUT', path, 2]]);
      // What is written last before it listens again is found then, without another to wake it.
      await writeAt(gateways[0], path);
      await allow(true);
      expect(told(await stream.have(2)).slice(1)).toEqual([['VALUE_PUT', path, 3]]);
    } finally {
      await allow(true);
      await admin.end();
      stream.drop();
    }
  });
});
