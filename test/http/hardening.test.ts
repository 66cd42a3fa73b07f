import { once } from 'node:events';
import { type IncomingHttpHeaders, type IncomingMessage, type OutgoingHttpHeaders, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freshPath, type TestApp, type TestCaller, testApp } from '../support/test-app.ts';

const MIB = 1024 * 1024;
const TYPENAME = JSON.stringify({ query: '{ __typename }' });
const READ = 'query ($path: SecretPath!) { getSecretValue(input: { path: $path }) { __typename } }';

let app: TestApp;
let authorization: string;

beforeAll(async () => {
  app = await testApp();
  authorization = `Bearer ${await app.token()}`;
});
afterAll(() => app.close());

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

interface Sent {
  readonly path?: string;
  readonly method?: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string | Buffer;
  readonly to?: TestApp;
}

/** A request as it is given: fetch would set, join or refuse some of these headers. */
async function send({
  path = '/graphql',
  method = 'POST',
  headers = {},
  body,
  to = app,
}: Sent): Promise<Answer> {
  const outgoing = request(`${to.url}${path}`, { method, headers, agent: false });
  // A refusal can arrive before the whole body has left.
  outgoing.on('error', () => undefined).end(body);
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
  return { status: response.statusCode ?? 0, headers: response.headers, text: await text(response) };
}

const json = { 'content-type': 'application/json' };
const post = (headers: OutgoingHttpHeaders = {}, body: string | Buffer = TYPENAME, to = app) =>
  send({ headers: { ...json, authorization, ...headers }, body, to });

function codeOf(answer: Answer): unknown {
  const { errors } = JSON.parse(answer.text) as { errors?: { extensions: { code: unknown } }[] };
  return errors?.[0]?.extensions.code;
}

describe('what is not a JSON POST', () => {
  const form = 'query=%7B__typename%7D';
  const refused: [string, Sent, number, string][] = [
    ['a query by GET', { method: 'GET', path: `/graphql?${form}` }, 405, 'METHOD_NOT_ALLOWED'],
    [
      'a mutation by GET',
      { method: 'GET', path: '/graphql?query=mutation%7B__typename%7D' },
      405,
      'METHOD_NOT_ALLOWED',
    ],
    ['HEAD', { method: 'HEAD' }, 405, ''],
    ['PUT', { method: 'PUT', headers: json, body: TYPENAME }, 405, 'METHOD_NOT_ALLOWED'],
    ['PATCH', { method: 'PATCH', headers: json, body: TYPENAME }, 405, 'METHOD_NOT_ALLOWED'],
    ['DELETE', { method: 'DELETE', headers: json }, 405, 'METHOD_NOT_ALLOWED'],
    ...[
      'application/x-www-form-urlencoded',
      'text/plain',
      'text/plain;application/json',
      'application/graphql',
      'application/graphql+json',
      'multipart/form-data; boundary=x',
      'application/json, text/plain',
      'application/json; charset=utf-16',
      'application/jsonx',
    ].map((type): [string, Sent, number, string] => [
      `POST of ${type}`,
      { headers: { 'content-type': type }, body: type.includes('urlencoded') ? form : TYPENAME },
      415,
      'UNSUPPORTED_MEDIA_TYPE',
    ]),
    ['POST without a content type', { body: TYPENAME }, 415, 'UNSUPPORTED_MEDIA_TYPE'],
    ['a batch array', { headers: json, body: `[${TYPENAME}]` }, 400, 'BAD_REQUEST'],
    ['an empty batch', { headers: json, body: '[]' }, 400, 'BAD_REQUEST'],
    ['a body that is not JSON', { headers: json, body: '{"query":' }, 400, 'BAD_REQUEST'],
    ['an empty body', { headers: json, body: '' }, 400, 'BAD_REQUEST'],
    ['JSON null', { headers: json, body: 'null' }, 400, 'BAD_REQUEST'],
    ['an unknown path', { path: '/graphql/', headers: json, body: TYPENAME }, 404, 'NOT_FOUND'],
  ];
  test.for(refused)('%s is refused', async ([, sent, status, code]) => {
    const answer = await send({ ...sent, headers: { authorization, ...sent.headers } });
    expect(answer.status).toBe(status);
    if (code) expect(codeOf(answer)).toBe(code);
    if (status === 405) expect(answer.headers.allow).toBe('POST');
    expect(answer.text).not.toContain('"data":{');
  });

  test('application/json with charset utf-8 is answered', async () => {
    for (const type of [
      'application/json',
      'application/json;charset=utf-8',
      'Application/JSON; charset="UTF-8"',
    ]) {
      const answer = await post({ 'content-type': type });
      expect([answer.status, answer.text]).toEqual([200, '{"data":{"__typename":"Query"}}']);
    }
  });
});

describe('other origins', () => {
  const ORIGIN = 'https://app.example.com';
  const corsOf = ({ headers }: Answer) =>
    Object.keys(headers).filter((name) => name.startsWith('access-control-'));

  test('get no CORS header unless they are configured', async () => {
    const preflight = { origin: ORIGIN, 'access-control-request-method': 'POST' };
    expect(corsOf(await send({ method: 'OPTIONS', headers: preflight }))).toEqual([]);
    expect(corsOf(await post({ origin: ORIGIN }))).toEqual([]);
    expect(corsOf(await post({ origin: 'null' }))).toEqual([]);
  });

  test('are allowed one by one, on refusals too, and never with credentials', async () => {
    const open = await testApp({ STRONGROOM_CORS_ORIGINS: `${ORIGIN},https://other.example.com` });
    try {
      for (const origin of [
        'https://evil.example',
        'null',
        `${ORIGIN}.evil.example`,
        'http://app.example.com',
        '',
      ]) {
        const answer = await post({ origin, authorization: 'Bearer x' }, TYPENAME, open);
        expect(corsOf(answer)).toEqual([]);
        expect(answer.headers.vary).toBe('Origin');
      }
      const preflight = await send({ method: 'OPTIONS', headers: { origin: ORIGIN }, to: open });
      expect(preflight.status).toBe(204);
      expect(preflight.headers).toMatchObject({
        'access-control-allow-origin': ORIGIN,
        'access-control-allow-methods': 'POST',
        'access-control-allow-headers': 'authorization, content-type, x-project-identity',
        vary: 'Origin',
      });
      const refused = await post({ origin: ORIGIN, authorization: 'Bearer x' }, TYPENAME, open);
      expect([refused.status, refused.headers['access-control-allow-origin']]).toEqual([401, ORIGIN]);
      expect(refused.headers['access-control-allow-credentials']).toBeUndefined();
      const token = `Bearer ${await open.token()}`;
      const answered = await post({ origin: ORIGIN, authorization: token }, TYPENAME, open);
      expect([answered.status, answered.headers['access-control-allow-origin']]).toEqual([200, ORIGIN]);
    } finally {
      await open.close();
    }
  });
});

test('no answer may be stored or sniffed: results, refusals, 404, health, metrics and the page alike (CVE-2021-38554)', async () => {
  const answers = [
    await post(),
    await post({ authorization: '' }),
    await post({}, '{'),
    await post({ 'content-type': 'text/plain' }),
    await post({ host: 'evil.example' }),
    await send({ method: 'GET' }),
    await send({ method: 'OPTIONS' }),
    await send({ method: 'GET', headers: { accept: 'text/html' } }),
    ...(await Promise.all(
      ['/', '/nothing', '/health', '/ready', '/metrics'].map((path) => send({ method: 'GET', path })),
    )),
  ];
  expect(answers.map(({ status }) => status)).toEqual([
    200, 401, 400, 415, 421, 405, 204, 200, 404, 404, 200, 200, 200,
  ]);
  for (const { headers } of answers) {
    expect(headers['cache-control']).toBe('no-store');
    expect(headers['x-content-type-options']).toBe('nosniff');
    expect(headers['set-cookie']).toBeUndefined();
    expect(headers['x-powered-by']).toBeUndefined();
  }
});

describe('identity', () => {
  const garbage = [
    '',
    'Bearer',
    'Bearer ',
    'Bearer x',
    'Basic YTpi',
    'Bearer a.b.c',
    'Bearer ey.ey.',
    'null',
  ];
  test.for(garbage)('Authorization %j is 401 UNAUTHENTICATED before the body is looked at', async (value) => {
    for (const body of [TYPENAME, '{"query":', '']) {
      const answer = await post({ authorization: value }, body);
      expect([answer.status, codeOf(answer)]).toEqual([401, 'UNAUTHENTICATED']);
      expect(answer.headers['www-authenticate']).toBe('Bearer');
    }
  });

  test('a missing or repeated Authorization is 401, with a body that never comes as well', async () => {
    expect((await send({ headers: json, body: TYPENAME })).status).toBe(401);
    const twice = [authorization, authorization] as unknown as string;
    expect((await post({ authorization: twice })).status).toBe(401);
    const outgoing = request(`${app.url}/graphql`, {
      ...{ method: 'POST', headers: { ...json, 'content-length': '100' }, agent: false },
    });
    outgoing.on('error', () => undefined).flushHeaders();
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
    expect(response.statusCode).toBe(401);
    outgoing.destroy();
  });

  test('/health and /ready need no token', async () => {
    expect(await send({ method: 'GET', path: '/health' })).toMatchObject({ status: 200, text: 'ok\n' });
    expect(await send({ method: 'GET', path: '/ready' })).toMatchObject({ status: 200, text: 'ready\n' });
  });
});

describe('Host in development', () => {
  const hosts = [
    'evil.example',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '10.0.0.1',
    '[::2]',
    '0.0.0.0',
  ];
  test.for(hosts)('%j is refused, whatever is asked for: no name of theirs leads here', async (host) => {
    for (const path of ['/graphql', '/health', '/']) {
      const answer = await send({ path, headers: { ...json, authorization, host }, body: TYPENAME });
      expect([answer.status, codeOf(answer)]).toEqual([421, 'MISDIRECTED_REQUEST']);
    }
    const page = await send({ method: 'GET', headers: { accept: 'text/html', host } });
    expect(page.text).not.toContain('<html');
  });

  test('a loopback name is answered', async () => {
    for (const host of ['localhost', 'LOCALHOST:4000', '127.0.0.1:4000', '127.8.8.8', '[::1]:4000']) {
      expect((await post({ host })).status).toBe(200);
    }
  });
});

describe('X-Project-Identity', () => {
  const scopeOf = async (caller: TestCaller, headers: OutgoingHttpHeaders = {}) => {
    const token = await app.token({ roles: ['strongroom:admin'], ...caller });
    const answer = await post(
      { authorization: `Bearer ${token}`, ...headers },
      JSON.stringify({ query: '{ viewer { project } }' }),
    );
    const { data } = JSON.parse(answer.text) as { data?: { viewer?: { project: string | null } } };
    return answer.status === 200
      ? (data?.viewer?.project ?? 'organisation')
      : [answer.status, codeOf(answer)];
  };
  const project = (name: string) => ({ 'x-project-identity': name });
  const MISMATCH = [403, 'PROJECT_MISMATCH'];

  test('that disagrees with the claims, or a choice not made, is 403 PROJECT_MISMATCH', async () => {
    expect(await scopeOf({ project: 'web' }, project('api'))).toEqual(MISMATCH);
    expect(await scopeOf({ projects: ['web', 'api'] }, project('db'))).toEqual(MISMATCH);
    expect(await scopeOf({ projects: ['web', 'api'] })).toEqual(MISMATCH);
    expect(await scopeOf({ projects: ['web'] })).toEqual(MISMATCH);
  });

  test('that is empty, repeated or not a name is 400', async () => {
    for (const caller of [{}, { project: 'web' }, { projects: ['web'] }]) {
      expect(await scopeOf(caller, project(''))).toEqual([400, 'BAD_REQUEST']);
      const twice = { 'x-project-identity': ['web', 'web'] };
      expect(await scopeOf(caller, twice)).toEqual([400, 'BAD_REQUEST']);
    }
    for (const name of ['Web', 'web,web', '../web', 'a'.repeat(64), '-web']) {
      expect(await scopeOf({}, project(name))).toEqual([400, 'BAD_REQUEST']);
    }
  });

  test('selects, where the claims leave a choice, and nothing else does', async () => {
    expect(await scopeOf({})).toBe('organisation');
    expect(await scopeOf({}, project('web'))).toBe('web');
    expect(await scopeOf({ project: 'web' })).toBe('web');
    expect(await scopeOf({ project: 'web' }, project('web'))).toBe('web');
    expect(await scopeOf({ projects: ['web', 'api'] }, project('api'))).toBe('api');
    expect(await scopeOf({}, { 'x-project': 'web', 'x-organisation': 'other' })).toBe('organisation');
  });

  test('leaves an auth.denied event with who asked, from where and for what', async () => {
    const subject = `denied-${Date.now()}`;
    expect(
      await scopeOf({ subject, project: 'web' }, { ...project('api'), 'user-agent': 'denied-agent' }),
    ).toEqual(MISMATCH);
    const { rows } = await app.database.query('SELECT * FROM audit_event WHERE actor_subject = $1', [
      subject,
    ]);
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatchObject({
      ...{ organisation: 'acme', project: '', action: 'auth.denied', outcome: 'DENIED' },
      ...{ error_code: 'PROJECT_MISMATCH', source_ip: '127.0.0.1', user_agent: 'denied-agent' },
      details: { requestedProject: 'api' },
    });
  });
});

describe('a body over 8 MiB', () => {
  const tooLarge = Buffer.alloc(8 * MIB + 1, ' ');

  test('is refused with 413 by its Content-Length, before it has come', async () => {
    const outgoing = request(`${app.url}/graphql`, {
      ...{
        method: 'POST',
        headers: { ...json, authorization, 'content-length': String(9 * MIB) },
        agent: false,
      },
    });
    outgoing.on('error', () => undefined).flushHeaders();
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
    expect(response.statusCode).toBe(413);
    expect(JSON.parse(await text(response))).toMatchObject({
      errors: [{ extensions: { code: 'PAYLOAD_TOO_LARGE' } }],
    });
    outgoing.destroy();
  });

  test('is refused with 413 when it comes with its Content-Length', async () => {
    const answer = await post({ 'content-length': String(tooLarge.length) }, tooLarge);
    expect([answer.status, codeOf(answer)]).toEqual([413, 'PAYLOAD_TOO_LARGE']);
    const fetched = await fetch(`${app.url}/graphql`, {
      ...{ method: 'POST', headers: { ...json, authorization }, body: tooLarge },
    });
    expect(fetched.status).toBe(413);
  });

  test('is refused with 413 when it comes in chunks, and the service goes on', async () => {
    const answer = await post({ 'transfer-encoding': 'chunked' }, Buffer.alloc(24 * MIB, ' '));
    expect([answer.status, codeOf(answer)]).toEqual([413, 'PAYLOAD_TOO_LARGE']);
    expect((await post()).status).toBe(200);
  });

  test('has 8 MiB allowed', async () => {
    const body = Buffer.concat([Buffer.from(TYPENAME), Buffer.alloc(8 * MIB - TYPENAME.length, ' ')]);
    expect((await post({}, body)).status).toBe(200);
    expect((await post({ 'transfer-encoding': 'chunked' }, body)).status).toBe(200);
  });

  test('that breaks off is not an error of ours', async () => {
    const outgoing = request(`${app.url}/graphql`, {
      ...{ method: 'POST', headers: { ...json, authorization, 'content-length': '1000' }, agent: false },
    });
    outgoing.on('error', () => undefined).write('{');
    await new Promise((resolve) => setTimeout(resolve, 200));
    const before = app.logged().length;
    outgoing.destroy();
    await expect.poll(() => app.logged().slice(before)).toContain('"msg":"request"');
    expect(app.logged().slice(before)).not.toContain('"level":50');
  });
});

describe('X-Forwarded-For', () => {
  const sourceOf = async (to: TestApp, forwarded: string | string[]) => {
    const path = freshPath();
    const token = `Bearer ${await to.token()}`;
    const body = JSON.stringify({ query: READ, variables: { path } });
    const headers = {
      authorization: token,
      'x-forwarded-for': forwarded,
      'x-real-ip': '9.9.9.9',
      forwarded: 'for=9.9.9.9',
    };
    const answer = await post(headers, body, to);
    expect(answer.status).toBe(200);
    const { rows } = await to.database.query<{ source_ip: string | null }>(
      'SELECT DISTINCT source_ip FROM audit_event WHERE resource = $1',
      [path],
    );
    expect(rows).toHaveLength(1);
    return rows[0]?.source_ip;
  };

  test('is ignored by default: the peer is the client', async () => {
    expect(await sourceOf(app, '203.0.113.7')).toBe('127.0.0.1');
  });

  test('counts from a trusted proxy, its last untrusted hop, and is unknown where it does not parse', async () => {
    const behind = await testApp({ STRONGROOM_TRUSTED_PROXIES: '127.0.0.1/32' });
    try {
      expect(await sourceOf(behind, '203.0.113.7')).toBe('203.0.113.7');
      expect(await sourceOf(behind, '10.0.0.1, 203.0.113.7')).toBe('203.0.113.7');
      expect(await sourceOf(behind, ['10.0.0.1', '203.0.113.8'])).toBe('203.0.113.8');
      expect(await sourceOf(behind, '203.0.113.7, 127.0.0.1')).toBe('203.0.113.7');
      expect(await sourceOf(behind, '010.0.0.1')).toBeNull();
    } finally {
      await behind.close();
    }
  });
});

test('an outage is told with a request id and nothing else, stands under it in the log, and /ready is 503', async () => {
  const broken = await testApp();
  try {
    const path = freshPath();
    await broken.database.query('ALTER TABLE secret RENAME TO secret_away');
    const query = 'query ($path: SecretPath!) { secret(path: $path) { id } }';
    const answer = await broken.raw(query, { path });
    await broken.database.query('ALTER TABLE secret_away RENAME TO secret');
    const { message, extensions } = answer.errors?.[0] ?? { message: '', extensions: {} };
    expect(message).toBe('Unexpected error.');
    expect(extensions).toEqual({ code: 'INTERNAL_SERVER_ERROR', requestId: expect.any(String) as string });
    expect(answer.text).not.toMatch(/prisma|postgres|relation|SELECT|node_modules|\.ts/i);
    const line = broken
      .logged()
      .split('\n')
      .find((each) => each.includes('unexpected error'));
    expect(JSON.parse(line ?? '{}')).toMatchObject({ level: 50, requestId: extensions['requestId'] });
    expect(broken.logged()).not.toContain(path);

    await broken.database.query('ALTER TABLE audit_head RENAME TO audit_head_away');
    const ready = await send({ method: 'GET', path: '/ready', to: broken });
    expect(ready).toMatchObject({ status: 503, text: 'not ready\n' });
    expect(await send({ method: 'GET', path: '/health', to: broken })).toMatchObject({ status: 200 });
    const mismatch = await broken.raw('{ __typename }', {}, { project: 'web', projectHeader: 'api' });
    expect([mismatch.status, mismatch.errors?.[0]?.extensions['code']]).toEqual([
      500,
      'INTERNAL_SERVER_ERROR',
    ]);
    const failed = String(mismatch.errors?.[0]?.extensions['requestId']);
    expect(
      broken
        .logged()
        .split('\n')
        .some((each) => each.includes(failed) && each.includes('request failed')),
    ).toBe(true);
    await broken.database.query('ALTER TABLE audit_head_away RENAME TO audit_head');
    const readiness = async () => (await send({ method: 'GET', path: '/ready', to: broken })).status;
    await expect.poll(readiness, { timeout: 5_000 }).toBe(200);
    expect((await broken.raw(query, { path })).errors).toBeUndefined();
  } finally {
    await broken.close();
  }
});

describe('GraphiQL', () => {
  const page = (to: TestApp, method = 'GET', accept = 'text/html') =>
    send({ to, method, headers: { accept, ...json }, body: method === 'GET' ? '' : TYPENAME });

  test('is not there for POST, for JSON, or without development', async () => {
    expect((await page(app, 'POST')).text).not.toContain('<html');
    expect((await page(app, 'GET', 'application/json')).status).toBe(405);
    expect((await page(app, 'GET', '*/*')).status).toBe(405);
    const without = await testApp({ STRONGROOM_GRAPHIQL: 'false' });
    try {
      expect(await page(without)).toMatchObject({ status: 405 });
    } finally {
      await without.close();
    }
  });

  test('is a page with a policy and no token for GET with Accept text/html', async () => {
    const {
      status,
      headers,
      text: html,
    } = await page(app, 'GET', 'text/html,application/xhtml+xml;q=0.9,*/*;q=0.8');
    expect([status, headers['content-type']]).toEqual([200, 'text/html; charset=utf-8']);
    expect(headers['content-security-policy']).toContain("default-src 'none'");
    expect(html).not.toMatch(/eyJ[A-Za-z0-9_-]{20,}\.eyJ/);
  });
});
