import { getIntrospectionQuery } from 'graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as doc from '../e2e/documents.ts';
import { data, type TestApp, testApp } from '../support/test-app.ts';

const VALUES = 100;
const paths = Array.from({ length: VALUES }, (_, index) => `/limits/s${String(index).padStart(3, '0')}`);

let app: TestApp;
let kmsKeyIdentity: string;

beforeAll(async () => {
  app = await testApp();
  kmsKeyIdentity = (await app.gql(doc.KMS_KEYS, {})).data.kmsKeys?.nodes[0]?.identity ?? '';
  const value = { secretString: data('v') };
  await Promise.all(paths.map((path) => app.gql(doc.CREATE, { input: { path, kmsKeyIdentity, value } })));
});
afterAll(() => app.close());

async function refusal(query: string, variables?: unknown) {
  const accept = 'application/graphql-response+json';
  const answer = await app.raw(query, variables, undefined, { accept });
  const told = (answer.errors ?? []).map(
    ({ message, extensions }) => `${String(extensions['code'])}: ${message}`,
  );
  return { status: answer.status, told: [...new Set(told)] };
}

const tooComplex = (number: number, limit: string) => ({
  status: 400,
  told: [`QUERY_TOO_COMPLEX: A document has at most ${number} ${limit}.`],
});

/** A document of exactly this depth, in folders and their parents. */
function nested(depth: number): string {
  let inner = '__typename';
  for (let level = depth - 1; level > 0; level--) {
    inner = level === 1 ? `folder { ${inner} }` : `parent { ${inner} }`;
  }
  return `{ ${inner} }`;
}

/** Of the field, and the first by the name, that armor lets through by default. */
const aliases = (count: number) =>
  Array.from({ length: count }, (_, i) => `${i === 0 ? '__typename' : `a${i}`}: __typename`).join(' ');

describe('a document past a limit is refused with the name of the limit and its number', () => {
  test('depth: 21 is refused, 20 is answered', async () => {
    expect(await refusal(nested(21))).toEqual(tooComplex(20, 'levels of depth'));
    expect(await refusal(nested(400))).toEqual(tooComplex(20, 'levels of depth'));
    expect(await refusal(nested(20))).toEqual({ status: 200, told: [] });
  });

  test('tokens: 2,001 are refused, 1,990 are not', async () => {
    const names = (count: number) => `{${' __typename'.repeat(count - 2)} }`;
    expect(await refusal(names(2_001))).toEqual(tooComplex(2_000, 'tokens'));
    expect(await refusal(names(50_000))).toEqual(tooComplex(2_000, 'tokens'));
    // Many errors, each told of by the same sentence, but not one of complexity.
    const list = `{ secret(path: "/a", region: [${'"x" '.repeat(1_980)}]) { id } }`;
    expect((await refusal(list)).told.join()).not.toContain('QUERY_TOO_COMPLEX');
  });

  test('fields that repeat until validation gives up are refused as too complex, not as no request', async () => {
    expect(await refusal(`{${' __typename'.repeat(1_900)} }`)).toEqual({
      status: 400,
      told: ['QUERY_TOO_COMPLEX: The document repeats too many fields to be validated.'],
    });
  });

  test('aliases: 31 are refused, in a fragment too, 30 are answered', async () => {
    expect(await refusal(`{ ${aliases(31)} }`)).toEqual(tooComplex(30, 'aliases'));
    expect(await refusal(`{ ...f } fragment f on Query { ${aliases(31)} }`)).toEqual(
      tooComplex(30, 'aliases'),
    );
    expect(await refusal(`{ ... on Query { ${aliases(31)} } }`)).toEqual(tooComplex(30, 'aliases'));
    expect(await refusal(`{ ${aliases(30)} }`)).toEqual({ status: 200, told: [] });
  });

  test('directives: 51 are refused, 50 fields with one each are answered', async () => {
    const skipped = (count: number) => `{ ${'__typename @include(if: true) '.repeat(count)} }`;
    expect(await refusal(skipped(51))).toEqual(tooComplex(50, 'directives'));
    expect(await refusal(`{ __typename ${'@include(if: true) '.repeat(51)} }`)).toEqual(
      tooComplex(50, 'directives'),
    );
    expect(await refusal(skipped(50))).toEqual({ status: 200, told: [] });
  });
});

describe('no name hides what it holds (GHSA-733v-p3h5-qpq7, GHSA-hmfr-rx46-4jx2, GHSA-224p-v68g-5g8f)', () => {
  const deep = nested(21).slice(1, -1);

  test('a field or an alias named __schema does not count as introspection', async () => {
    expect(await refusal(`{ __schema: ${deep.trim()} }`)).toEqual(tooComplex(20, 'levels of depth'));
    const inside = `{ __schema: folder { ${aliases(31)} } }`;
    expect(await refusal(inside)).toEqual(tooComplex(30, 'aliases'));
    expect(
      await refusal(
        `{ __schema { types { ${'ofType: fields { type { '.repeat(12)} name ${'} }'.repeat(12)} } } }`,
      ),
    ).toEqual(tooComplex(20, 'levels of depth'));
  });

  test('a fragment named __schema does not either', async () => {
    expect(await refusal(`{ ...__schema } fragment __schema on Query { ${deep} }`)).toEqual(
      tooComplex(20, 'levels of depth'),
    );
    expect(await refusal(`{ ...__schema } fragment __schema on Query { ${aliases(31)} }`)).toEqual(
      tooComplex(30, 'aliases'),
    );
  });

  test('a fragment seen before, at a lesser depth, is counted where it is', async () => {
    const half = (name: string, rest: string) =>
      `fragment ${name} on Folder { ${'parent { '.repeat(9)} ${rest} ${'} '.repeat(9)} }`;
    const query = `{ folder { ...end } b: folder { ...start } } ${half('start', '...end')} ${half('end', 'parent { name parent { name parent { name } } }')}`;
    expect(await refusal(query)).toEqual(tooComplex(20, 'levels of depth'));
    const hidden = `query a { folder { ...end } } query b { folder { ...start } } ${half('start', '...end')} ${half('end', 'parent { name parent { name parent { name } } }')}`;
    const response = await app.post(JSON.stringify({ query: hidden, operationName: 'b' }), {
      authorization: `Bearer ${await app.token()}`,
    });
    expect(await response.text()).toContain('A document has at most 20 levels of depth.');
  });

  test('thirty aliases in each of many fragments do not pass as thirty', async () => {
    const parts = Array.from({ length: 5 }, (_, n) => `fragment f${n} on Query { ${aliases(10)} }`).join(' ');
    expect(await refusal(`{ ${[0, 1, 2, 3, 4].map((n) => `...f${n}`).join(' ')} } ${parts}`)).toEqual(
      tooComplex(30, 'aliases'),
    );
    expect(await refusal(`{ ${'...f '.repeat(40)} } fragment f on Query { ${aliases(10)} }`)).toEqual(
      tooComplex(30, 'aliases'),
    );
  });
});

describe('no document holds the service up', () => {
  const took = async (query: string) => {
    const start = performance.now();
    const { status } = await refusal(query);
    return { status, fast: performance.now() - start < 1_500 };
  };

  test('two hundred inline fragments, a hundred times each, are answered within 1.5 s', async () => {
    const inline = '... on Query { __typename } '.repeat(100);
    const wide = Array.from({ length: 200 }, () => `... on Query { ${inline} }`).join(' ');
    expect(await took(`{ ${wide} }`)).toEqual({ status: 400, fast: true });
    const within = Array.from(
      { length: 13 },
      () => `... on Query { ${'... on Query { __typename } '.repeat(24)} }`,
    );
    expect((await took(`{ ${within.join(' ')} }`)).fast).toBe(true);
    expect((await took(`{ ${'__typename '.repeat(1_900)} }`)).fast).toBe(true);
  });

  test('fragments that spread each other in a circle are refused', async () => {
    for (const circle of [
      '{ ...a } fragment a on Query { ...a }',
      '{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }',
      '{ folder { ...a } } fragment a on Folder { parent { ...a } }',
      '{ folder { ...a } } fragment a on Folder { parent { ...b } } fragment b on Folder { x: parent { ...a } }',
      'fragment a on Query { ...a }',
    ]) {
      expect(await took(circle)).toEqual({ status: 400, fast: true });
    }
  });

  test('fragments that double at every step are refused or answered in time', async () => {
    const doubling = Array.from(
      { length: 25 },
      (_, n) => `fragment f${n} on Query { ...f${n + 1} ...f${n + 1} }`,
    );
    expect((await took(`{ ...f0 } ${doubling.join(' ')} fragment f25 on Query { __typename }`)).fast).toBe(
      true,
    );
    const folders = Array.from(
      { length: 17 },
      (_, n) => `fragment f${n} on Folder { parent { ...f${n + 1} ...f${n + 1} } }`,
    );
    expect(
      (await took(`{ folder { ...f0 } } ${folders.join(' ')} fragment f17 on Folder { name }`)).fast,
    ).toBe(true);
  });
});

describe('one request, over all its fields and aliases,', () => {
  const READ_TWICE = `query ($a: GetSecretValuesInput!, $b: GetSecretValuesInput!) {
    a: getSecretValues(input: $a) { ... on GetSecretValuesPayload { results { __typename } } }
    b: getSecretValues(input: $b) { ... on GetSecretValuesPayload { results { __typename } } }
  }`;
  const items = (from: number, to: number) => ({ secrets: paths.slice(from, to).map((path) => ({ path })) });

  test('opens no more than 100 values: 101 are refused, 100 are read', async () => {
    const over = await app.raw(READ_TWICE, { a: items(0, 51), b: items(50, 100) });
    expect(over.errors?.map(({ message, extensions }) => [message, extensions['code']])).toEqual([
      ['A request answers at most 100 values.', 'QUERY_TOO_COMPLEX'],
    ]);
    expect([over.data['a'], over.data['b']].filter((each) => each === null)).toHaveLength(1);
    const allowed = await app.raw(READ_TWICE, { a: items(0, 50), b: items(50, 100) });
    expect(allowed.errors).toBeUndefined();
    expect(allowed.text.match(/"SecretValue"/g)).toHaveLength(100);
  });

  test('opens no more than 100 values by single reads beside a batch', async () => {
    const query = `query ($a: GetSecretValuesInput!, $b: GetSecretValueInput!) {
      a: getSecretValues(input: $a) { __typename } b: getSecretValue(input: $b) { __typename } }`;
    const { errors } = await app.raw(query, { a: items(0, 100), b: { path: paths[0] } });
    expect(errors?.map(({ extensions }) => extensions['code'])).toEqual(['QUERY_TOO_COMPLEX']);
  });

  test('answers no more than 10,000 objects', async () => {
    const query = `{ secrets(first: 100) { nodes { path versions(first: 1) { nodes {
      number secret: __typename } } kmsKey { secrets(first: 100) { nodes { path kmsKey { name } } } } } } }`;
    const { errors } = await app.raw(query);
    expect(errors?.length).toBeGreaterThan(0);
    expect([
      ...new Set(errors?.map(({ message, extensions }) => `${String(extensions['code'])} ${message}`)),
    ]).toEqual(['QUERY_TOO_COMPLEX A request answers at most 10000 objects.']);
  });
});

describe('what a request may not cost', () => {
  test('past the limit of objects no more queries are sent, whatever else the document asks for', async () => {
    const versions = Array.from({ length: 28 }, (_, i) => `v${i}: version(number: ${i + 1}) { number }`).join(
      ' ',
    );
    const query = `{ secrets(first: 90) { nodes { kmsKey { secrets(first: 100) { nodes { ${versions} } } } } } }`;
    const started = await transactions();
    const { errors } = await app.raw(query);
    expect(new Set(errors?.map(({ extensions }) => extensions['code']))).toEqual(
      new Set(['QUERY_TOO_COMPLEX']),
    );
    expect((await transactions()) - started).toBeLessThan(1_000);
    expect(
      (await app.gql(doc.GET, { input: { path: paths[0] ?? '' } })).data.getSecretValue?.__typename,
    ).toBe('SecretValue');
  });

  test('JSON that nests past 64 levels is refused before it is parsed', async () => {
    const authorization = `Bearer ${await app.token()}`;
    const deep = await app.post(`{"query":"{ __typename }","variables":{"a":${'['.repeat(1_000_000)}`, {
      authorization,
    });
    expect(deep.status).toBe(400);
    expect(await deep.text()).toContain('64');
  });

  test('nothing is answered in parts', async () => {
    for (const accept of ['multipart/mixed', 'text/html']) {
      const { status, text } = await app.raw('{ __typename }', {}, undefined, { accept });
      expect([status, text.includes('NOT_ACCEPTABLE')]).toEqual([406, true]);
    }
  });
});

/** How many statements the database has run so far, each a transaction of its own when it stands alone. */
async function transactions(): Promise<number> {
  await app.database.query('SELECT pg_stat_force_next_flush()');
  const { rows } = await app.database.query<{ n: number }>(
    'SELECT (xact_commit + xact_rollback)::int AS n FROM pg_stat_database WHERE datname = current_database()',
  );
  return rows[0]?.n ?? 0;
}

describe('what people need passes', () => {
  test('the standard introspection query, with every option on', async () => {
    const query = getIntrospectionQuery({
      ...{ descriptions: true, specifiedByUrl: true, directiveIsRepeatable: true },
      ...{ schemaDescription: true, inputValueDeprecation: true, oneOf: true },
    });
    const { status, errors } = await app.raw(query);
    expect([status, errors]).toEqual([200, undefined]);
  });

  test('a hundred reads and a tree of five levels in one request', async () => {
    const value = { secretString: data('v') };
    await app.gql(doc.CREATE, { input: { path: '/l1/l2/l3/l4/l5/leaf', kmsKeyIdentity, value } });
    const level = (depth: number): string =>
      depth === 0 ? '' : `children { nodes { __typename name ... on Folder { path ${level(depth - 1)} } } }`;
    const query = `query ($input: GetSecretValuesInput!) {
      folder(path: "/") { ${level(5)} }
      getSecretValues(input: $input) { ... on GetSecretValuesPayload { results {
        ... on SecretValue { path secretString } } } }
    }`;
    const { errors, text } = await app.raw(query, { input: { secrets: paths.map((path) => ({ path })) } });
    expect(errors).toBeUndefined();
    expect(text).toContain('/l1/l2/l3/l4/l5');
    expect(text.match(/"secretString":"/g)).toHaveLength(100);
  });
});
