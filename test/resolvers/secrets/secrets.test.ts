import { afterAll, beforeAll, expect, test } from 'vitest';
import * as doc from '../../e2e/documents.ts';
import { data, freshPath, type TestApp, type TestCaller, testApp } from '../../support/test-app.ts';

let app: TestApp;
let kmsKeyIdentity: string;

beforeAll(async () => {
  app = await testApp();
  kmsKeyIdentity = (await app.gql(doc.KMS_KEYS, {})).data.kmsKeys?.nodes[0]?.identity ?? '';
});
afterAll(() => app.close());

/** Callers to whom a secret of acme does not exist. */
const STRANGERS: readonly TestCaller[] = [
  { organisation: 'globex' },
  { project: 'payments' },
  { roles: ['kms:ReadAccess'] },
  { roles: [] },
];

async function create(path = freshPath(), text = 'first', caller?: TestCaller) {
  const value = { secretString: data(text) };
  const answer = await app.gql(doc.CREATE, { input: { path, kmsKeyIdentity, value } }, caller);
  const created = answer.data.createSecret;
  if (created?.__typename !== 'SecretVersionPayload') throw new Error(answer.text);
  return { path, id: created.secret?.id ?? '' };
}

interface Args {
  readonly filter?: Record<string, unknown>;
  readonly orderBy?: { readonly field: string; readonly direction: string };
  readonly first?: number | null;
  readonly after?: string | null;
  readonly last?: number | null;
  readonly before?: string | null;
}
interface Page {
  readonly totalCount: number | null;
  readonly nodes: readonly { readonly path: string }[];
  readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null };
}

const query = (args: Args, caller?: TestCaller) => app.raw(doc.SECRETS, args, caller);
const page = async (args: Args) => (await query(args)).data['secrets'] as Page;
const paths = async (args: Args) => (await page(args)).nodes.map(({ path }) => path);
const folder = () => freshPath('x').slice(0, -2);

async function createWith(path: string, input: Record<string, unknown> = {}): Promise<string> {
  const value = { secretString: data('v') };
  await app.raw(doc.CREATE, { input: { path, kmsKeyIdentity, value, ...input } });
  return path;
}

test('whoever may not list sees an empty list, and other scopes none of these secrets', async () => {
  const { path } = await create();
  const filter = { pathPrefix: path.slice(0, path.lastIndexOf('/')) };
  for (const caller of STRANGERS) {
    const answer = await query({ filter }, caller);
    expect(answer.data['secrets']).toMatchObject({ totalCount: 0, nodes: [] });
  }
  expect(await paths({ filter })).toEqual([path]);
});

test.each([
  [{ first: 0 }, ['first']],
  [{ first: -1 }, ['first']],
  [{ first: 101 }, ['first']],
  [{ last: 0 }, ['last']],
  [{ last: 101 }, ['last']],
  [{ first: 1, last: 1 }, ['last']],
  [{ after: 'MARKER' }, ['after']],
  [{ before: '' }, ['before']],
  [{ filter: { pathPrefix: '/MARKER/' } }, ['filter', 'pathPrefix']],
  [{ filter: { pathPrefix: 'MARKER' } }, ['filter', 'pathPrefix']],
  [{ filter: { search: '' } }, ['filter', 'search']],
  [{ filter: { search: 'MARKER'.padEnd(257, 'x') } }, ['filter', 'search']],
  [{ filter: { search: 'MARKER\0' } }, ['filter', 'search']],
  [{ filter: { kmsKeyIdentity: 'MARKER\0' } }, ['filter', 'kmsKeyIdentity']],
  [{ filter: { notAccessedSince: 'MARKER' } }, ['filter', 'notAccessedSince']],
  [{ filter: { notAccessedSince: '2030-02-30T00:00:00Z' } }, ['filter', 'notAccessedSince']],
  [{ filter: { labels: [{ key: '', value: 'MARKER' }] } }, ['filter', 'labels', '0', 'key']],
])('%j is refused by its field, never quoted', async (args, field) => {
  const answer = await query(args);
  expect(answer.errors?.[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', field });
  expect(answer.text).not.toContain('MARKER');
});

test('a cursor of another order, of another list or of no list is refused', async () => {
  const root = folder();
  await createWith(`${root}/a`);
  const { pageInfo } = await page({ filter: { pathPrefix: root } });
  const children = (await app.raw(doc.FOLDER, { path: root })).data['folder'] as { children: Page };
  const forged = Buffer.from(JSON.stringify(['secrets:PATH:ASC', "'; --", 1])).toString('base64url');
  for (const args of [
    { after: pageInfo.endCursor, orderBy: { field: 'PATH', direction: 'DESC' } },
    { after: pageInfo.endCursor, orderBy: { field: 'CREATED_AT', direction: 'ASC' } },
    { before: children.children.pageInfo.endCursor },
    { after: forged },
  ]) {
    expect((await query(args)).errors?.[0]?.extensions['code']).toBe('BAD_USER_INPUT');
  }
});

test('pathPrefix is by segment and leaves out the secret of that very path', async () => {
  const root = folder();
  for (const path of ['', '/a', '/a/b', '-other', '.other', 'x/a']) await createWith(`${root}${path}`);
  expect(await paths({ filter: { pathPrefix: root } })).toEqual([`${root}/a`, `${root}/a/b`]);
  expect(await paths({ filter: { pathPrefix: `${root}/a/b` } })).toEqual([]);
  expect(await paths({ filter: { pathPrefix: '/', search: `${root}/a` } })).toEqual([
    `${root}/a`,
    `${root}/a/b`,
  ]);
});

test('labels must all match, exactly', async () => {
  const root = folder();
  const label = (key: string, value: string) => ({ key, value });
  await createWith(`${root}/a`, { labels: [label('team', 'core'), label('env', 'prod')] });
  await createWith(`${root}/b`, { labels: [label('team', 'core')] });
  const found = (...labels: object[]) => paths({ filter: { pathPrefix: root, labels } });
  expect(await found(label('team', 'core'))).toEqual([`${root}/a`, `${root}/b`]);
  expect(await found(label('team', 'core'), label('env', 'prod'))).toEqual([`${root}/a`]);
  expect(await found(label('team', 'cor'))).toEqual([]);
  expect(await found(label('team', 'Core'))).toEqual([]);
  expect(await found()).toHaveLength(2);
});

test('search is case-insensitive in path and description, and % _ \\ stand for themselves', async () => {
  const root = folder();
  await createWith(`${root}/Alpha_1`, { description: '100% sure' });
  await createWith(`${root}/alphaX1`, { description: 'C:\\temp' });
  const found = async (search: string) =>
    (await paths({ filter: { pathPrefix: root, search } })).map((path) => path.slice(root.length + 1));
  expect(await found('ALPHA')).toEqual(['Alpha_1', 'alphaX1']);
  expect(await found('alpha_1')).toEqual(['Alpha_1']);
  expect(await found('%')).toEqual(['Alpha_1']);
  expect(await found('00% S')).toEqual(['Alpha_1']);
  expect(await found('\\')).toEqual(['alphaX1']);
  expect(await found("' OR 1=1 --")).toEqual([]);
});

test('notAccessedSince finds what was never read or last read before', async () => {
  const root = folder();
  const [a, b] = [await createWith(`${root}/a`), await createWith(`${root}/b`)];
  const found = (notAccessedSince: string) => paths({ filter: { pathPrefix: root, notAccessedSince } });
  const at = new Date(Date.now() + 60_000);
  app.clock.now = at;
  try {
    await app.gql(doc.GET, { input: { path: a } });
  } finally {
    app.clock.now = null;
  }
  expect(await found(new Date(at.getTime() + 1).toISOString())).toEqual([a, b]);
  expect(await found(at.toISOString())).toEqual([b]);
});

test('kmsKeyIdentity finds the secrets of that key', async () => {
  const made = await app.raw(
    'mutation { createKmsKey(input: { name: "other" }) { ... on KmsKeyPayload { kmsKey { identity } } } }',
  );
  const { identity } = (made.data['createKmsKey'] as { kmsKey: { identity: string } }).kmsKey;
  const path = await createWith(freshPath(), { kmsKeyIdentity: identity });
  expect(await paths({ filter: { kmsKeyIdentity: identity } })).toEqual([path]);
  expect(await paths({ filter: { kmsKeyIdentity: 'kms-%' } })).toEqual([]);
});

test('all four orders are the same walk forward, backward and the other way round', async () => {
  const root = folder();
  const order = ['c', 'a', 'd', 'b'];
  const start = Date.now();
  const minute = (n: number) => new Date(start + n * 60_000);
  try {
    for (const [n, name] of order.entries()) {
      app.clock.now = minute(n);
      await createWith(`${root}/${name}`);
    }
    for (const [n, name] of ['d', 'b', 'a', 'c'].entries()) {
      app.clock.now = minute(10 + n);
      await app.gql(doc.PUT, { input: { path: `${root}/${name}`, value: { secretString: data('v') } } });
    }
    for (const [n, name] of ['b', 'd'].entries()) {
      app.clock.now = minute(20 + n);
      await app.gql(doc.GET, { input: { path: `${root}/${name}` } });
    }
  } finally {
    app.clock.now = null;
  }
  const filter = { pathPrefix: root };
  for (const [field, expected] of [
    ['PATH', ['a', 'b', 'c', 'd']],
    ['CREATED_AT', order],
    ['UPDATED_AT', ['d', 'b', 'a', 'c']],
    ['LAST_ACCESSED_AT', [null, null, 'b', 'd']],
  ] as const) {
    const ascending = await paths({ filter, orderBy: { field, direction: 'ASC' } });
    expect(ascending).toHaveLength(4);
    expected.forEach((name, index) => {
      if (name !== null) expect([field, ascending[index]]).toEqual([field, `${root}/${name}`]);
    });
    for (const direction of ['ASC', 'DESC']) {
      const orderBy = { field, direction };
      const all = direction === 'ASC' ? ascending : [...ascending].reverse();
      const forward: string[] = [];
      for (let after: string | null = null; ;) {
        const { nodes, pageInfo, totalCount }: Page = await page({ filter, orderBy, first: 1, after });
        expect(totalCount).toBe(4);
        forward.push(...nodes.map(({ path }) => path));
        if (!pageInfo.hasNextPage) break;
        after = pageInfo.endCursor;
      }
      expect(forward).toEqual(all);
      expect(await paths({ filter, orderBy, last: 3 })).toEqual(all.slice(1));
      const end = (await page({ filter, orderBy })).pageInfo.endCursor;
      expect(await paths({ filter, orderBy, last: 2, before: end })).toEqual(all.slice(1, 3));
    }
  }
});

test('a page has 20 secrets by default and 100 at most, deleted ones left out', async () => {
  const root = folder();
  await Promise.all(Array.from({ length: 101 }, (_, n) => createWith(`${root}/${n}`)));
  expect(await paths({ filter: { pathPrefix: root } })).toHaveLength(20);
  expect(await paths({ filter: { pathPrefix: root }, first: 100 })).toHaveLength(100);
  await app.raw(doc.DELETE, { input: { path: `${root}/0` } });
  expect(await page({ filter: { pathPrefix: root }, first: 100 })).toMatchObject({
    totalCount: 100,
    pageInfo: { hasNextPage: false },
  });
});
