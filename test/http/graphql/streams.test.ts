import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from 'graphql-sse';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as doc from '../../e2e/documents.ts';
import { follow } from '../../support/follow.ts';
import { type Gateway, startGateway } from '../../support/gateway.ts';
import { data, freshPath, type TestApp, testApp } from '../../support/test-app.ts';

const ORIGIN = 'https://console.example';
const TIMING = { keepAliveMs: 100, stallMs: 500, lingerMs: 20_000 };
const FOLLOW = 'subscription { secretEvents { cursor kind path version } }';
const EVENT_STREAM = 'text/event-stream';

let app: TestApp;
let gateway: Gateway;
let kmsKeyIdentity: string;
let authorization: string;

beforeAll(async () => {
  app = await testApp();
  gateway = await startGateway(app, { streamTiming: TIMING }, { STRONGROOM_CORS_ORIGINS: ORIGIN });
  authorization = `Bearer ${await app.token()}`;
  kmsKeyIdentity = (await app.gql(doc.KMS_KEYS, {})).data.kmsKeys?.nodes[0]?.identity ?? '';
});
afterAll(async () => {
  await gateway.close();
  await app.close();
});

const create = async () => {
  const path = freshPath();
  await app.gql(doc.CREATE, { input: { path, kmsKeyIdentity, value: { secretString: data('v') } } });
  return path;
};

/** A request whose answer is not read until somebody reads it. */
async function ask(query: string, headers: Record<string, string> = {}, variables = {}, to = gateway) {
  const outgoing = request(`${to.url}/graphql`, {
    method: 'POST',
    agent: false,
    headers: { 'content-type': 'application/json', accept: EVENT_STREAM, authorization, ...headers },
  });
  outgoing.on('error', () => undefined).end(JSON.stringify({ query, variables }));
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
  response.on('error', () => undefined);
  return response;
}

/** The whole answer of a request that ends by itself. */
async function whole(query: string, headers?: Record<string, string>, variables?: object) {
  const response = await ask(query, headers, variables);
  return { status: response.statusCode, type: response.headers['content-type'], text: await text(response) };
}

/** What an event stream holds, comments left out. */
function messagesOf(stream: string) {
  const blocks = stream.split('\n\n').filter((block) => block !== '' && block !== ':');
  return blocks.map((block) => {
    const [, event, json] = /^event: (\w+)\ndata:(.*)$/s.exec(block) ?? [];
    return { event, data: json ? (JSON.parse(json) as Result) : null };
  });
}

interface Result {
  readonly data?: { readonly secretEvents?: { readonly cursor: string; readonly path: string } };
  readonly errors?: { readonly message: string; readonly extensions: Record<string, unknown> }[];
}

describe('an event stream', () => {
  test('is written as the protocol has it, with comments while nothing happens', async () => {
    const response = await ask(FOLLOW, { origin: ORIGIN });
    expect(response.statusCode).toBe(200);
    expect(response.headers).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'x-accel-buffering': 'no',
      'access-control-allow-origin': ORIGIN,
      vary: 'Origin',
    });
    let received = '';
    response.setEncoding('utf8').on('data', (chunk: string) => (received += chunk));
    await expect.poll(() => received).toMatch(/^:\n\n:\n\n:\n\n/);
    const path = await create();
    await expect.poll(() => received).toContain('event: next');
    expect(received.replace(/^(:\n\n)+/, '').split('\n\n')[0]).toBe(
      `event: next\ndata: ${JSON.stringify({
        data: {
          secretEvents: {
            cursor: messagesOf(received)[0]?.data?.data?.secretEvents?.cursor,
            kind: 'CREATED',
            path,
            version: 1,
          },
        },
      })}`,
    );
    response.destroy();
  });

  test('has no other origin than those that are allowed', async () => {
    const response = await ask(FOLLOW, { origin: 'https://elsewhere.example' });
    expect(response.headers['access-control-allow-origin']).toBeUndefined();
    response.destroy();
  });

  test('answers a query and a mutation in one next, to a client that takes nothing else', async () => {
    expect(await whole('{ viewer { subject } }')).toEqual({
      status: 200,
      type: 'text/event-stream; charset=utf-8',
      text: ':\n\nevent: next\ndata: {"data":{"viewer":{"subject":"tester"}}}\n\nevent: complete\ndata:\n\n',
    });
    for (const accept of [
      `${EVENT_STREAM}, application/json`,
      'application/json, text/event-stream',
      '*/*',
    ]) {
      const { type } = await whole('{ viewer { subject } }', { accept });
      expect(type).toContain('json');
    }
    const client = createClient({
      url: `${gateway.url}/graphql`,
      retryAttempts: 0,
      headers: { authorization },
    });
    const results = [];
    for await (const result of client.iterate({ query: '{ viewer { subject } }' })) results.push(result);
    expect(results).toEqual([{ data: { viewer: { subject: 'tester' } } }]);
  });

  test('tells what is wrong with a document in a next, and quotes nothing', async () => {
    const secret = 'aHVudGVyMg==';
    const variables = { after: { [secret]: secret } };
    const wrong: [string, string, object?][] = [
      ['subscription {', 'GRAPHQL_PARSE_FAILED'],
      [`subscription { nothing(x: "${secret}") { cursor } }`, 'GRAPHQL_VALIDATION_FAILED'],
      ['subscription { a: secretEvents { cursor } b: secretEvents { cursor } }', 'GRAPHQL_VALIDATION_FAILED'],
      ['subscription { __typename }', 'GRAPHQL_VALIDATION_FAILED'],
      ['subscription { secretEvents @skip(if: true) { cursor } }', 'GRAPHQL_VALIDATION_FAILED'],
      [
        'subscription ($x: Boolean!) { secretEvents @include(if: $x) { cursor } }',
        'GRAPHQL_VALIDATION_FAILED',
        { x: false },
      ],
      ['subscription { ... @skip(if: true) { secretEvents { cursor } } }', 'GRAPHQL_VALIDATION_FAILED'],
      [
        'subscription { ...f } fragment f on Subscription { ... { secretEvents @include(if: false) { cursor } } }',
        'GRAPHQL_VALIDATION_FAILED',
      ],
      ['subscription { ...f } fragment f on Subscription { ...f }', 'GRAPHQL_VALIDATION_FAILED'],
      [`subscription { secretEvents(after: "${secret}") { cursor } }`, 'BAD_USER_INPUT'],
      [
        'subscription ($after: String) { secretEvents(after: $after) { cursor } }',
        'BAD_USER_INPUT',
        variables,
      ],
      [
        `subscription { secretEvents { ${Array.from({ length: 31 }, (_, n) => `a${n}: cursor`).join(' ')} } }`,
        'QUERY_TOO_COMPLEX',
      ],
      [`subscription { secretEvents { ${'cursor @include(if: true) '.repeat(51)} } }`, 'QUERY_TOO_COMPLEX'],
      [`subscription { secretEvents { ${'cursor '.repeat(2_000)} } }`, 'QUERY_TOO_COMPLEX'],
      [`${'{ a '.repeat(21)}${'}'.repeat(21)}`, 'QUERY_TOO_COMPLEX'],
    ];
    for (const [query, code, given] of wrong) {
      const { status, text: stream } = await whole(query, {}, given);
      const [first, ...rest] = messagesOf(stream);
      const [error] = first?.data?.errors ?? [];
      expect({ query, status, code: error?.extensions['code'] }).toEqual({ query, status: 200, code });
      expect(error?.extensions['http']).toBeUndefined();
      expect(rest).toEqual([{ event: 'complete', data: null }]);
      expect(stream).not.toContain(secret);
    }
  });

  test('is refused to who takes JSON only, by GET, and with a media type that there is not', async () => {
    for (const accept of ['application/json', '*/*', 'application/graphql-response+json']) {
      const { type, text: body } = await whole(FOLLOW, { accept });
      expect(type).toContain('json');
      expect(JSON.parse(body)).toMatchObject({ errors: [{ extensions: { code: 'NOT_ACCEPTABLE' } }] });
    }
    const url = `${gateway.url}/graphql?query=${encodeURIComponent(FOLLOW)}`;
    const byGet = await fetch(url, { headers: { accept: EVENT_STREAM, authorization } });
    expect([byGet.status, byGet.headers.get('content-type')]).toEqual([
      405,
      'application/json; charset=utf-8',
    ]);
    expect((await whole(FOLLOW, { accept: 'multipart/mixed' })).status).toBe(406);
    expect((await whole(FOLLOW, { 'content-type': 'text/plain' })).status).toBe(415);
  });

  test('masks what is unexpected, and the log has it', async () => {
    await app.database.query('ALTER TABLE audit_head RENAME TO hidden_head');
    const { text: stream } = await whole(FOLLOW);
    await app.database.query('ALTER TABLE hidden_head RENAME TO audit_head');
    const [first, last] = messagesOf(stream);
    expect(first?.data?.errors).toMatchObject([
      { message: 'Unexpected error.', extensions: { code: 'INTERNAL_SERVER_ERROR' } },
    ]);
    expect(stream).not.toContain('head');
    expect(last?.event).toBe('complete');
    const requestId = String(first?.data?.errors?.[0]?.extensions['requestId']);
    expect(gateway.logged()).toMatch(new RegExp(`"level":50.*${requestId}.*unexpected error`));
  });

  test('is no request of ten thousand objects: it goes on after as many events', async () => {
    const stream = await follow({ url: gateway.url, token: await app.token() });
    await insertChanges(10_050, 10);
    await create();
    expect((await stream.have(10_051)).length).toBe(10_051);
    expect(stream.errors).toEqual([]);
    stream.drop();
  });
});

describe('a client', () => {
  test('that goes away is forgotten, and the log has one line of its stream', async () => {
    const own = await startGateway(app);
    const lines = () =>
      own
        .logged()
        .split('\n')
        .filter((line) => line.includes('requestId'));
    const response = await ask(FOLLOW, {}, {}, own);
    await create();
    await once(response, 'data');
    expect(lines()).toEqual([]);
    response.destroy();
    await expect.poll(() => lines().length).toBe(1);
    expect(JSON.parse(lines().at(-1) ?? '')).toMatchObject({
      path: '/graphql',
      status: 200,
      msg: 'stream ended',
    });
    await own.close();
    expect(lines()).toHaveLength(1);
  });

  test('that takes nothing is dropped, told so, costs no more than it left untaken, and goes on where it was', async () => {
    const total = 30_000;
    const limits = { gateway: 10, organisation: 10, caller: 1 };
    const narrow = await startGateway(app, { streamTiming: TIMING, followerLimits: limits });
    const quiet = await ask(FOLLOW, {}, {}, narrow);
    const paths = await insertChanges(total, 500);
    await create();
    // Nothing is read. Once the buffers of both sockets are full and have been for a while, it is given up, and so is its place.
    const again = async () => {
      const other = await follow({ url: narrow.url, token: await app.token() });
      await Promise.race([other.ended, sleep(100)]);
      other.drop();
      return other.errors.map(({ extensions }) => extensions['code']);
    };
    expect(await again()).toEqual(['TOO_MANY_STREAMS']);
    await expect.poll(again, { timeout: 20_000, interval: 200 }).toEqual([]);
    const messages = messagesOf(await text(quiet));
    const heard = messages.flatMap(({ data: result }) => result?.data?.secretEvents ?? []);
    expect(heard.length).toBeGreaterThan(10);
    expect(heard.length).toBeLessThan(total);
    expect(messages.slice(heard.length)).toMatchObject([
      {
        event: 'next',
        data: {
          errors: [
            {
              message: expect.stringContaining('0.5 seconds') as string,
              extensions: { code: 'FOLLOWER_TOO_SLOW' },
            },
          ],
        },
      },
      { event: 'complete' },
    ]);
    expect(heard.map(({ path }) => path)).toEqual(paths.slice(0, heard.length));
    const after = heard.at(-1)?.cursor ?? '';
    const resumed = await follow({ url: gateway.url, token: await app.token(), variables: { after } });
    const [next] = await resumed.have(1);
    expect(next?.path).toBe(paths[heard.length]);
    resumed.drop();
    await narrow.close();
  });
});

/** Adds changes to the chain as its owner would, and returns their paths. */
async function insertChanges(count: number, pathCharacters: number): Promise<string[]> {
  const { rows } = await app.database.query<{ resource: string }>(
    `WITH head AS (SELECT sequence FROM audit_head WHERE organisation = 'acme' FOR UPDATE),
       moved AS (UPDATE audit_head SET sequence = sequence + $1 WHERE organisation = 'acme')
     INSERT INTO audit_event (organisation, sequence, id, at, action, outcome, project, region, actor_subject, actor_issuer,
       actor_roles, resource_type, resource, version, request_id, details, previous_hash, hash)
     SELECT 'acme', head.sequence + n, gen_random_uuid(), now(), 'secret.putValue', 'SUCCESS', '', 'local-1', 's', 'i', '{}',
       'secret', rpad('/slow/' || n || '-', $2::int, 'x'), 2, 'r', '{}', '\\x00', '\\x00'
     FROM head, generate_series(1, $1::int) AS n ORDER BY n RETURNING resource`,
    [count, pathCharacters],
  );
  return rows.map(({ resource }) => resource);
}

describe('a gateway that stops', () => {
  test('ends its streams at once with an error, takes no new one, and another goes on', async () => {
    const stopping = await startGateway(app);
    const stream = await follow({ url: stopping.url, token: await app.token() });
    const path = await create();
    await stream.have(1);
    // Opened in advance, as browsers do: nothing will ever come of it.
    const unused = connect(Number(new URL(stopping.url).port), '127.0.0.1');
    await once(unused, 'connect');
    const started = performance.now();
    await stopping.close();
    expect(performance.now() - started).toBeLessThan(3_000);
    expect(await stream.ended).toBe('complete');
    expect(stream.errors).toMatchObject([{ extensions: { code: 'SERVICE_UNAVAILABLE' } }]);
    const next = await create();
    const after = stream.events.at(-1)?.cursor ?? '';
    const resumed = await follow({ url: gateway.url, token: await app.token(), variables: { after } });
    expect((await resumed.have(1)).map((event) => event.path)).toEqual([next]);
    expect(stream.events.map((event) => event.path)).toEqual([path]);
    resumed.drop();
  });
});
