import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as doc from '../../e2e/documents.ts';
import { ADMIN, data, type TestApp, testApp } from '../../support/test-app.ts';

/** One that no part of Strongroom writes; its parts would survive quoting, escaping and cutting. */
const MARK = 'kanarie7f3a91c2';
const MARKS = [MARK, `"${MARK}"`, `\\"${MARK}\\`, `ＫＡＮ${MARK}\u202e`, `${MARK}\u0000`, `${MARK}\n${MARK}`];
/** Every form in which it could come back. */
const TRACES = [
  MARK,
  data(MARK).slice(0, 18),
  Buffer.from(MARK).toString('hex'),
  encodeURIComponent('ＫＡＮ'),
];

let app: TestApp;
let authorization: string;
let kmsKeyIdentity: string;

beforeAll(async () => {
  app = await testApp();
  authorization = `Bearer ${await app.token()}`;
  kmsKeyIdentity = (await app.gql(doc.KMS_KEYS, {})).data.kmsKeys?.nodes[0]?.identity ?? '';
});
afterAll(() => app.close());

function expectNoEcho(text: string, what: string): void {
  for (const trace of TRACES) expect(text.toLowerCase(), what).not.toContain(trace.toLowerCase());
}

async function probe(body: string, headers: Record<string, string> = {}): Promise<Response> {
  const before = app.logged().length;
  const response = await app.post(body, { authorization, ...headers });
  const text = await response.text();
  expectNoEcho(text, 'the answer');
  expectNoEcho([...response.headers].join('\n'), 'the headers');
  await expect.poll(() => app.logged().slice(before)).toContain('"msg":"request"');
  expectNoEcho(app.logged().slice(before), 'the log');
  expect(response.status, text).toBeLessThan(500);
  return response;
}

const asked = (query: string, variables?: unknown) => JSON.stringify({ query, variables });

describe('a canary in a document comes back in no answer and no log line', () => {
  const text = JSON.stringify(MARK);
  const documents = [
    MARK,
    `{ ${MARK} }`,
    `{ viewer { ${MARK} } }`,
    `{ viewer { subject { ${MARK} } } }`,
    `{ viewer { subject ${text} } }`,
    `{ viewer { subject "${MARK} } }`,
    `{ viewer { subject """${MARK} } }`,
    `{ viewer { subject } } # ${MARK}\n }`,
    `query ${MARK} { viewer`,
    `query ${MARK} { x } query ${MARK} { y }`,
    `{ ${MARK}: viewer { nothing } }`,
    `{ a: viewer { subject } ${MARK}: secret }`,
    `{ secret(${MARK}: 1) { id } }`,
    `{ secret(path: "/a", ${MARK}: ${text}) { id } }`,
    `{ secret(path: $${MARK}) { id } }`,
    `query ($${MARK}: SecretPath!) { secret(path: "/a") { id } }`,
    `query ($a: ${MARK}) { secret(path: $a) { id } }`,
    `query ($a: Int = ${text}) { secret(path: "/a") { version(number: $a) { id } } }`,
    `query ($${MARK}: Int) { secret(path: $${MARK}) { id } }`,
    `query ($${MARK}: Int, $${MARK}: Int) { secret(path: "/a") { version(number: $${MARK}) { id } } }`,
    `{ secret(path: "/a") @${MARK} { id } }`,
    `{ secret(path: "/a") @include(if: ${text}) { id } }`,
    `{ secret(path: "/a") @include(${MARK}: true) { id } }`,
    `{ ...${MARK} }`,
    `fragment ${MARK} on Secret { id } { viewer { subject } }`,
    `fragment ${MARK} on ${MARK} { id } { ...${MARK} }`,
    `{ ... on ${MARK} { id } }`,
    `{ node(id: "x") { ... on ${MARK} { id } } }`,
    `fragment ${MARK} on Query { ...${MARK} } { ...${MARK} }`,
    `{ a: __typename a: __schema { ${MARK}: types { name } } }`,
    `{ ${MARK}: __typename ${MARK}: viewer { subject } }`,
    `type ${MARK} { a: Int }`,
    `extend type Query { ${MARK}: Int }`,
    `${MARK} { viewer { subject } }`,
    `subscription { ${MARK} }`,
    `subscription ${MARK} { secretEvents(pathPrefix: ${text}) { path } }`,
    `subscription { secretEvents(${MARK}: ${text}) { ${MARK} } }`,
    `mutation { ${MARK}(input: { a: ${text} }) { id } }`,
    ...[
      text,
      `"""${MARK}"""`,
      MARK,
      `[${text}]`,
      `{ ${MARK}: ${text} }`,
      `$${MARK}`,
      `1${MARK}`,
      `"\\u${MARK}"`,
    ].flatMap((literal) => [
      `{ secret(path: ${literal}) { id } }`,
      `{ secret(path: "/a") { version(number: ${literal}) { id } } }`,
      `{ node(id: ${literal}) { id } }`,
      `{ nodes(ids: [1, ${literal}]) { id } }`,
      `{ secrets(first: ${literal}) { totalCount } }`,
      `{ secrets(after: ${literal}) { totalCount } }`,
      `{ secrets(orderBy: { field: ${literal}, direction: ASC }) { totalCount } }`,
      `{ secrets(filter: ${literal}) { totalCount } }`,
      `{ secrets(filter: { labels: ${literal} }) { totalCount } }`,
      `{ secrets(filter: { notAccessedSince: ${literal} }) { totalCount } }`,
      `{ __type(name: ${literal}) { name } }`,
      `mutation { putSecretValue(input: { path: "/a", value: { secretString: ${literal} } }) { __typename } }`,
      `mutation { putSecretValue(input: { path: "/a", value: { secretKeyValues: [{ key: "a", value: ${literal} }] } }) { __typename } }`,
      `mutation { putSecretValue(input: { path: "/a", value: ${literal} }) { __typename } }`,
      `mutation { putSecretValue(input: ${literal}) { __typename } }`,
      `mutation ($v: SecretData = ${literal}) { putSecretValue(input: { path: "/a", value: { secretString: $v } }) { __typename } }`,
    ]),
  ];
  test.for([...new Set(documents)])('%s', async (query) => {
    await probe(asked(query, {}), { accept: 'application/json' });
    await probe(asked(query, {}), { accept: 'application/graphql-response+json' });
  });

  test('with quotes, escapes, control characters and letters beyond ASCII around it', async () => {
    for (const mark of MARKS) {
      const quoted = JSON.stringify(mark);
      for (const query of [
        mark,
        `{ ${mark} }`,
        `{ secret(path: ${quoted}) { id } }`,
        `{ secret(path: [${quoted}]) { id } }`,
      ]) {
        await probe(asked(query));
      }
    }
  });
});

describe('a canary in variables comes back in no answer and no log line', () => {
  const PUT = `mutation ($input: PutSecretValueInput!) { putSecretValue(input: $input) { __typename } }`;
  const CREATE = `mutation ($input: CreateSecretInput!) { createSecret(input: $input) { __typename } }`;
  const good = { path: '/echo/a', value: { secretString: data(MARK) } };
  const pair = { key: 'a', value: data(MARK) };
  const keyValues = (...entries: unknown[]) => ({ path: '/echo/a', value: { secretKeyValues: entries } });
  const wrong: [string, unknown][] = [
    ['a string for the whole', MARK],
    ['null', null],
    ['a string for an object', { ...good, value: MARK }],
    ['an unknown sibling beside a correct secret', { ...good, unknown: 1 }],
    ['an unknown sibling by its name', { ...good, [MARK]: MARK }],
    ['a missing sibling beside a correct secret', { value: good.value }],
    ['two of @oneOf', { ...good, value: { ...good.value, secretKeyValues: [pair] } }],
    ['none of @oneOf', { ...good, value: {}, idempotencyKey: MARK }],
    ['null in @oneOf', { ...good, value: { secretString: null }, idempotencyKey: MARK }],
    ['a wrong member of a list', keyValues(pair, MARK)],
    ['a member without its value', keyValues(pair, { key: MARK })],
    ['a member with more', keyValues(pair, { ...pair, [MARK]: MARK })],
    ['an object for a scalar', { ...good, path: { [MARK]: MARK } }],
    ['a list for a scalar', { ...good, path: [MARK] }],
    ['a string for a number', { ...good, expectedVersion: MARK }],
    ['a number for the secret', { ...good, value: { secretString: 73912 }, idempotencyKey: MARK }],
    ['true for the secret', { ...good, value: { secretString: true }, idempotencyKey: MARK }],
    ['a fraction for an Int', { ...good, expectedVersion: 1.5 }],
    [
      'a string for a boolean',
      { ...good, value: { generateSecret: { password: { length: 9, digits: MARK } } } },
    ],
    ['a path that is none', { ...good, path: MARK }],
    ['a path that climbs', { ...good, path: `/${MARK}/../a` }],
    ['a value that is not base64', { ...good, value: { secretString: `${MARK}!` } }],
    ['a key that is none', keyValues({ ...pair, key: `${MARK}\u0000` })],
    ['the same key twice', keyValues({ ...pair, key: MARK }, { ...pair, key: MARK })],
    ['a region that is none', { ...good, region: MARK }],
    ['an idempotency key that is none', { ...good, idempotencyKey: `${MARK}\n` }],
    ['a secret that is not there', { ...good, path: `/${MARK}` }],
  ];
  test.for(wrong)('%s', async ([, input]) => {
    await probe(asked(PUT, { input }));
    await probe(asked(CREATE, { input }));
  });

  test('bad labels, key identities, policies, enums, numbers, dates and cursors', async () => {
    const base = { ...good, kmsKeyIdentity };
    for (const extra of [
      { labels: [{ key: `${MARK} `, value: 'x' }] },
      { labels: [{ key: 'x', value: `${MARK}\u0000` }] },
      {
        labels: [
          { key: MARK, value: '1' },
          { key: MARK, value: '2' },
        ],
      },
      { annotations: [{ key: '', value: MARK }] },
      { annotations: MARK },
      { kmsKeyIdentity: MARK },
      { description: `${MARK}${'x'.repeat(2_000)}` },
      { accessPolicy: { ip: [{ effect: 'ALLOW', cidrs: [MARK] }] } },
      { accessPolicy: { ip: [{ effect: MARK, cidrs: [] }] } },
      { accessPolicy: { time: [{ effect: 'ALLOW', start: MARK, end: '24:00', timeZone: 'UTC' }] } },
      { accessPolicy: { time: [{ effect: 'ALLOW', start: '00:00', end: '24:00', timeZone: MARK }] } },
      {
        accessPolicy: {
          time: [{ effect: 'ALLOW', start: '00:00', end: '24:00', timeZone: 'UTC', days: [MARK] }],
        },
      },
    ]) {
      await probe(asked(CREATE, { input: { ...base, ...extra } }));
    }
    const list = `query ($filter: SecretFilter, $orderBy: SecretOrder, $first: Int, $after: String) {
      secrets(filter: $filter, orderBy: $orderBy, first: $first, after: $after) { totalCount } }`;
    for (const variables of [
      { first: MARK },
      { after: MARK },
      { orderBy: { field: MARK, direction: 'ASC' } },
      { orderBy: MARK },
      { filter: { notAccessedSince: MARK } },
      { filter: { pathPrefix: MARK } },
      { filter: { kmsKeyIdentity: MARK } },
      { filter: { search: MARK } },
      { filter: [MARK] },
      { [MARK]: MARK },
    ]) {
      await probe(asked(list, variables));
    }
  });
});

test('a canary anywhere in the request around the document comes back in no answer and no log line', async () => {
  const query = '{ viewer { subject } }';
  for (const body of [
    MARK,
    `"${MARK}"`,
    `["${MARK}"]`,
    `{"${MARK}`,
    `{"query": "${MARK}`,
    `{"query": ${MARK}}`,
    `[{"query": "{ ${MARK} }"}]`,
    `{"query": "{ viewer { subject } }", "variables": "${MARK}"}`,
    ...[
      { query: { [MARK]: MARK } },
      { query: [MARK] },
      { query, [MARK]: MARK },
      { query, id: MARK },
      { query, operationName: MARK },
      { query, operationName: [MARK] },
      { query, operationName: { [MARK]: MARK } },
      { query, variables: [MARK] },
      { query, variables: { [MARK]: MARK } },
      { query, extensions: MARK },
      { query, extensions: [MARK] },
      { query, extensions: { [MARK]: MARK } },
      { query, extensions: { persistedQuery: { version: 1, sha256Hash: MARK } } },
      { extensions: { persistedQuery: { version: 1, sha256Hash: MARK } } },
      { [MARK]: query },
    ].map((each) => JSON.stringify(each)),
  ]) {
    await probe(body);
  }
  for (const headers of [
    { authorization: MARK },
    { authorization: `Bearer ${MARK}` },
    { authorization: `Bearer ${data(JSON.stringify({ alg: MARK, kid: MARK }))}.${data('{}')}.${data(MARK)}` },
    { authorization: `Basic ${data(MARK)}` },
    { 'x-project-identity': `${MARK}!` },
    { 'x-project-identity': `${MARK},${MARK}` },
    { 'content-type': `text/${MARK}` },
    { 'content-type': `application/json; charset=${MARK}` },
    { accept: `text/${MARK}` },
    { accept: `application/json; q=${MARK}` },
    { 'x-forwarded-for': MARK },
    { 'x-request-id': MARK },
    { traceparent: MARK },
    { 'user-agent': MARK },
    { origin: `https://${MARK}.example` },
    { referer: `https://${MARK}.example` },
    { cookie: `a=${MARK}` },
    { [`x-${MARK}`]: '1' },
  ]) {
    await probe(asked(query), headers as unknown as Record<string, string>);
    await probe(asked('{'), headers as unknown as Record<string, string>);
  }
  for (const path of [
    `/${MARK}`,
    `/graphql?query=${MARK}`,
    `/graphql/${MARK}`,
    `/health?${MARK}`,
    `/metrics?${MARK}`,
  ]) {
    for (const method of ['GET', 'POST', 'DELETE']) {
      const before = app.logged().length;
      const response = await fetch(`${app.url}${path}`, { method });
      expectNoEcho(await response.text(), path);
      await expect.poll(() => app.logged().slice(before)).toContain('"msg":"request"');
      expectNoEcho(app.logged().slice(before), path);
    }
  }
  expectNoEcho(await (await fetch(`${app.url}/metrics`)).text(), 'the metrics');
  // The pinned project of a token and its subject are names of the caller's own, and stay out of errors too.
  const mismatch = await app.raw(query, {}, { ...ADMIN, project: 'web', projectHeader: MARK });
  expect(mismatch.status).toBe(403);
  expectNoEcho(mismatch.text, 'a mismatch');
});
