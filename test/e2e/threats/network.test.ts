import { request } from 'node:http';
import { text as textOf } from 'node:stream/consumers';
import { once } from 'node:events';
import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as doc from '../documents.ts';
import { print } from 'graphql';
import { data, type TestApp, testApp } from '../../support/test-app.ts';

const INSIDE = ['203.0.113.0/24', '2001:db8::/32'];
const ALLOWED = '/network/allow';
const DENIED = '/network/deny';

let direct: TestApp;
let behind: TestApp;

/** A service with a secret that may be read from inside alone, and one that may be read from everywhere else. */
async function serve(environment: Record<string, string>): Promise<TestApp> {
  const app = await testApp(environment);
  const kmsKeyIdentity = (await app.gql(doc.KMS_KEYS, {})).data.kmsKeys?.nodes[0]?.identity ?? '';
  for (const [path, effect] of [
    [ALLOWED, 'ALLOW'],
    [DENIED, 'DENY'],
  ] as const) {
    const input = { path, kmsKeyIdentity, value: { secretString: data('v') } };
    const answer = await app.gql(doc.CREATE, {
      input: { ...input, accessPolicy: { ip: [{ effect, cidrs: INSIDE }] } },
    });
    expect(answer.data.createSecret?.__typename).toBe('SecretVersionPayload');
  }
  return app;
}

beforeAll(async () => {
  direct = await serve({});
  behind = await serve({ STRONGROOM_TRUSTED_PROXIES: '127.0.0.1/32,10.0.0.0/8' });
});
afterAll(async () => {
  await direct.close();
  await behind.close();
});

/** Headers as they are given, one line for each: fetch would join or clean them. */
async function send(
  app: TestApp,
  path: string,
  headers: OutgoingHttpHeaders,
): Promise<{ status: number; text: string }> {
  const outgoing = request(`${app.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${await app.token()}`, ...headers },
  });
  outgoing.end(JSON.stringify({ query: print(doc.GET), variables: { input: { path } } }));
  const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
  return { status: incoming.statusCode ?? 0, text: await textOf(incoming) };
}

/** Where the service takes the caller to be: the one secret is read from inside, the other from outside, and none in doubt. */
async function seenFrom(app: TestApp, headers: OutgoingHttpHeaders): Promise<string> {
  const read = async (path: string) => {
    const { status, text } = await send(app, path, headers);
    expect(status).toBe(200);
    return text.includes('"__typename":"SecretValue"');
  };
  const [inside, outside] = [await read(ALLOWED), await read(DENIED)];
  if (inside === outside) return inside ? 'everywhere' : 'in doubt';
  return inside ? 'inside' : 'outside';
}

const forwarded = (value: string | string[]): OutgoingHttpHeaders => ({ 'x-forwarded-for': value });

describe('without trusted proxies', () => {
  test.for([
    ['X-Forwarded-For', forwarded('203.0.113.7')],
    ['many X-Forwarded-For', forwarded(['203.0.113.7', '203.0.113.8'])],
    ['X-Real-IP', { 'x-real-ip': '203.0.113.7' }],
    ['Forwarded', { forwarded: 'for=203.0.113.7' }],
    ['True-Client-IP', { 'true-client-ip': '203.0.113.7', 'cf-connecting-ip': '203.0.113.7' }],
    ['X-Client-IP', { 'x-client-ip': '203.0.113.7', 'x-cluster-client-ip': '203.0.113.7' }],
  ] as const)('nobody gets inside by %s: the peer is the client (CVE-2025-22271)', async ([, headers]) => {
    expect(await seenFrom(direct, headers)).toBe('outside');
  });
});

describe('behind a trusted proxy', () => {
  test.for([
    ['no header', {}],
    ['X-Real-IP alone', { 'x-real-ip': '203.0.113.7' }],
    ['Forwarded alone', { forwarded: 'for=203.0.113.7' }],
    ['an empty header', forwarded('')],
    ['spaces', forwarded('   ')],
    ['commas', forwarded(',,,')],
    ['an empty hop at the right', forwarded('203.0.113.7,')],
    ['a second, empty header', forwarded(['203.0.113.7', ''])],
    ['garbage', forwarded('unknown')],
    ['garbage before a trusted hop', forwarded('203.0.113.7, x, 10.0.0.1')],
    ['an octal octet', forwarded('0313.0.113.7')],
    ['a leading zero', forwarded('203.0.113.07')],
    ['a hexadecimal octet', forwarded('0xcb.0.113.7')],
    ['a short form', forwarded('203.28935')],
    ['a plain number', forwarded('3405803783')],
    ['five octets', forwarded('203.0.113.7.1')],
    ['an octet above 255', forwarded('203.0.113.263')],
    ['a zone id', forwarded('fe80::1%eth0')],
    ['a mapped address with a zone id', forwarded('::ffff:203.0.113.7%1')],
    ['a mapped octal octet', forwarded('::ffff:0313.0.113.7')],
    ['a port', forwarded('203.0.113.7:443')],
    ['brackets', forwarded('[2001:db8::1]')],
    ['quotes', forwarded('"203.0.113.7"')],
    ['a range', forwarded('203.0.113.7/32')],
    ['two addresses without a comma', forwarded('203.0.113.7 203.0.113.8')],
    ['a semicolon', forwarded('203.0.113.7;198.51.100.1')],
    ['full-width digits', forwarded(Buffer.from('２０３.0.113.7').toString('latin1'))],
    ['more hops than are looked at', forwarded(`203.0.113.7, ${Array(100).fill('10.0.0.1').join(', ')}`)],
    ['ten thousand commas', forwarded(','.repeat(10_000))],
  ] as const)(
    '%s leaves the client unknown, so that ALLOW fails and DENY matches (CVE-2024-29415, CVE-2023-42282, CVE-2021-28918)',
    async ([, headers]) => {
      expect(await seenFrom(behind, headers)).toBe('in doubt');
    },
  );

  test.for([
    ['the list that the client began', forwarded('203.0.113.7, 198.51.100.1')],
    ['a header of its own before that of the proxy', forwarded(['203.0.113.7', '198.51.100.1'])],
    [
      'garbage and trusted names in its part',
      forwarded(['10.0.0.1, x', '203.0.113.7', '198.51.100.1, 10.9.9.9']),
    ],
    [
      'other headers beside',
      { ...forwarded('198.51.100.1'), 'x-real-ip': '203.0.113.7', forwarded: 'for=203.0.113.7' },
    ],
    ['an address that only looks mapped', forwarded('::fffe:203.0.113.7')],
    ['an IPv4-compatible address', forwarded('::203.0.113.7')],
  ] as const)('nobody gets inside by %s (CVE-2025-22271)', async ([, headers]) => {
    expect(await seenFrom(behind, headers)).toBe('outside');
  });

  test.for([
    ['as it is', '203.0.113.7'],
    ['past trusted hops', '198.51.100.1, 203.0.113.7, 10.1.2.3, 10.3.2.1'],
    ['past a trusted hop that is mapped', '203.0.113.7, ::ffff:10.1.2.3'],
    ['mapped, dotted', '::ffff:203.0.113.7'],
    ['mapped, in groups', '::ffff:cb00:7107'],
    ['mapped, written out', '0:0:0:0:0:FFFF:203.0.113.7'],
    ['in IPv6', '2001:DB8::7'],
    ['in IPv6, written out', '2001:0db8:0000:0000:0000:0000:0000:0007'],
  ] as const)(
    'who comes from inside is seen inside, %s: a DENY holds as well (CVE-2024-24790)',
    async ([, value]) => {
      expect(await seenFrom(behind, forwarded(value))).toBe('inside');
    },
  );

  test('a list as long as a request may be holds nobody up, and only its end counts', async () => {
    const started = performance.now();
    const within = `${'198.51.100.1, '.repeat(900)}203.0.113.7`;
    expect(await seenFrom(behind, forwarded(within))).toBe('inside');
    expect(performance.now() - started).toBeLessThan(5_000);
  });
});
