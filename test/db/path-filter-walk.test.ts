import { afterAll, beforeAll, expect, test } from 'vitest';
import { Prisma } from '../../src/db/generated/client.ts';
import type { Policy } from '../../src/policy/policy.ts';
import type { Region, RequestContext } from '../../src/resolvers/context/request-context.ts';
import { kmsKeySecrets } from '../../src/resolvers/kms-keys/kms-key-secrets.ts';
import type { KmsKey } from '../../src/resolvers/rows/secret-types.ts';
import { deletedSecrets } from '../../src/resolvers/secrets/deleted-secrets.ts';
import { folderChildren } from '../../src/resolvers/secrets/folder-children.ts';
import { folder } from '../../src/resolvers/secrets/folder.ts';
import { secrets } from '../../src/resolvers/secrets/secrets.ts';
import { closeListRegion, listContext, listRegion, NOW } from '../support/list-context.ts';
import { type TestApp, testApp } from '../support/test-app.ts';

let app: TestApp;
let region: Region;

/**
 * Below /home/big 100,000 secrets, 1,000 of them below every team-00 to team-99 and 20 of these below each of its s00 to
 * s49; of every 1,000 the first 300 were there once before, deleted. Beside /home/big are /home/s0 to s9, and /alone has
 * just such ten.
 */
beforeAll(async () => {
  app = await testApp();
  region = await listRegion(app.databaseUrl);
  await app.database.query(
    `INSERT INTO kms_key (organisation, identity, project, name, key_type, provider, latest_version, created_at,
       created_by_subject, created_by_issuer)
     VALUES ('huge', 'kms-a', '', 'a', 'AES256_GCM96', 'local', 1, now(), 's', 'i')`,
  );
  await app.database.query(
    `INSERT INTO secret (organisation, id, project, path, kms_key_identity, labels, annotations, latest_version,
       object_version, created_at, created_by_subject, created_by_issuer, updated_at, deleted_at, purge_at)
     SELECT 'huge', gen_random_uuid(), '', path, 'kms-a', '{}', '{}', 1, 1, at, 's', 'i', at, gone, gone + interval '1 day'
     FROM (
       SELECT format('/home/big/team-%s/s%s/x%s', lpad((n % 100)::text, 2, '0'), lpad((n / 2000)::text, 2, '0'), n), gone,
         $1::timestamptz - n * interval '1 minute'
       FROM generate_series(0, 99999) AS n, LATERAL (
         SELECT NULL::timestamptz UNION ALL SELECT $1::timestamptz - n * interval '1 ms' WHERE n < 30000) AS g(gone)
       UNION ALL
       SELECT format('/%s/s%s', beside, n), NULL, $1 FROM generate_series(0, 9) AS n, (VALUES ('home'), ('alone')) AS b(beside)
     ) AS made(path, gone, at)`,
    [NOW],
  );
  await app.database.query(
    `INSERT INTO secret_access (organisation, secret_id, last_accessed_at)
     SELECT organisation, id, updated_at FROM secret WHERE organisation = 'huge' AND deleted_at IS NULL`,
  );
  await app.database.query('VACUUM ANALYZE secret, secret_access');
}, 60_000);
afterAll(async () => {
  await closeListRegion(region);
  await app.close();
});

interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Index Name'?: string;
  readonly 'Actual Rows': number;
  readonly 'Actual Loops': number;
  readonly 'Rows Removed by Filter'?: number;
  readonly 'Shared Hit Blocks': number;
  readonly 'Shared Read Blocks': number;
  readonly Plans?: readonly PlanNode[];
}

/** What the statements of a list read: entries of indexes and rows of secrets, and blocks in all. */
interface Cost {
  readonly rows: number;
  readonly blocks: number;
  /** How tables and indexes were read. */
  readonly scans: readonly string[];
}

type Work = (ctx: RequestContext, on: Region) => Promise<unknown>;

const nodesOf = (plan: PlanNode): PlanNode[] => [plan, ...(plan.Plans ?? []).flatMap(nodesOf)];

/** Runs a list, and has every statement that it sent explained, with what it really did: by an index, every one. */
async function costOf(policies: readonly Policy[], work: Work): Promise<Cost> {
  const sent: Prisma.Sql[] = [];
  const $queryRaw = (query: TemplateStringsArray | Prisma.Sql, ...values: unknown[]) => {
    const sql = query instanceof Prisma.Sql ? query : Prisma.sql(query, ...values);
    sent.push(sql);
    return region.db.client.$queryRaw(sql);
  };
  const client = new Proxy(region.db.client, {
    get: (target, name) => (name === '$queryRaw' ? $queryRaw : (Reflect.get(target, name) as unknown)),
  });
  const watched = { ...region, db: Object.assign(Object.create(region.db) as typeof region.db, { client }) };
  const ctx = listContext(watched, 'huge', policies);
  await work(ctx, ctx.region);
  const cost = { rows: 0, blocks: 0, scans: new Set<string>() };
  for (const { text, values } of sent) {
    const { rows } = await app.database.query<{ 'QUERY PLAN': { Plan: PlanNode }[] }>(
      `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${text}`,
      values,
    );
    const plan = rows[0]?.['QUERY PLAN'][0]?.Plan;
    if (!plan) throw new Error('There is no plan.');
    cost.blocks += plan['Shared Hit Blocks'] + plan['Shared Read Blocks'];
    const nodes = nodesOf(plan);
    const isRead = (node: PlanNode) =>
      /^secret(_access)?$/.test(node['Relation Name'] ?? '') || node['Node Type'] === 'Bitmap Index Scan';
    expect(nodes.filter(isRead).map((node) => node['Node Type'])).not.toContain('Seq Scan');
    for (const node of nodes.filter(isRead)) {
      cost.scans.add(`${node['Node Type']} using ${node['Index Name'] ?? ''}`);
      cost.rows += (node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0)) * node['Actual Loops'];
    }
  }
  expect(cost.blocks).toBeGreaterThan(0);
  return { ...cost, scans: [...cost.scans] };
}

const allowing = (allowed: readonly string[], denied: readonly string[] = []): Policy[] => [
  {
    ...{ name: 'p', builtIn: false, subjects: [{ kind: 'ROLE', value: 'reader', issuer: null }] },
    statements: [
      { resources: allowed, effect: 'ALLOW' as const },
      { resources: denied, effect: 'DENY' as const },
    ].map(({ resources, effect }) => ({
      ...{ name: effect, effect, permissions: ['SECRET_LIST', 'SECRET_READ'], conditions: null },
      resources: resources.map((pattern) => `secret:${pattern}`),
    })),
  },
];
const two = (n: number) => String(n).padStart(2, '0');
const times = (count: number, pattern: (n: number) => string) =>
  Array.from({ length: count }, (_, n) => pattern(n));

const EVERYTHING = allowing(['/**']);
/** Each sees 1,000 of the 100,000. */
const ONE_PER_CENT = [
  ['one prefix', allowing(['/home/big/team-42/**'])],
  ['fifty prefixes', allowing(times(50, (n) => `/home/big/team-${two(n * 2)}/s${two(n)}/**`))],
  [
    'all around 99 denied subtrees',
    allowing(
      ['/home/big/**'],
      times(99, (n) => `/home/big/team-${two(n)}/**`),
    ),
  ],
] as const;
const PAGE = 20;

/** A page reads each of its rows twice, by the order and whole, and one row more; a range that it crosses is a probe. */
const MOST = { rows: 3 * (PAGE + 1), blocks: 10 * (PAGE + 1) + 4 * 101 };

const expectBounded = ({ rows, blocks }: Cost, most: Pick<Cost, 'rows' | 'blocks'> = MOST) => {
  expect(rows).toBeLessThanOrEqual(most.rows);
  expect(blocks).toBeLessThanOrEqual(most.blocks);
};

test.each(ONE_PER_CENT)('a page by path costs the page, not what is hidden: %s', async (_, policies) => {
  const KEY: Work = (ctx, on) => kmsKeySecrets(ctx, { identity: 'kms-a', region: on } as KmsKey, {});
  expectBounded(await costOf(policies, (ctx) => secrets(ctx, {})));
  expectBounded(await costOf(policies, (ctx) => secrets(ctx, { last: PAGE })));
  expectBounded(await costOf(policies, (ctx) => secrets(ctx, { filter: { pathPrefix: '/home/big' } })));
  expectBounded(await costOf(policies, KEY));
  const ctx = listContext(region, 'huge', policies);
  const { pageInfo } = await secrets(ctx, { first: 70 });
  expect(pageInfo.hasNextPage).toBe(true);
  const after = pageInfo.endCursor;
  expectBounded(await costOf(policies, (again) => secrets(again, { after })));
  expectBounded(await costOf(policies, (again) => secrets(again, { before: after, last: PAGE })));
});

test.each(ONE_PER_CENT)(
  'a page by time, a count and the deleted ones cost what is seen: %s',
  async (_, policies) => {
    const most = { rows: 3 * 1_000 + MOST.rows, blocks: 10 * 1_000 + MOST.blocks };
    for (const field of ['CREATED_AT', 'UPDATED_AT', 'LAST_ACCESSED_AT'] as const) {
      for (const direction of ['ASC', 'DESC'] as const) {
        expectBounded(await costOf(policies, (ctx) => secrets(ctx, { orderBy: { field, direction } })), most);
      }
    }
    expectBounded(await costOf(policies, (ctx) => deletedSecrets(ctx, {})), most);
    let total: number | null = 0;
    const counting: Work = async (ctx) => (total = await (await secrets(ctx, {})).totalCount());
    expectBounded(await costOf(policies, counting), most);
    expect(total).toBe(1_000);
  },
);

test('a star in the middle costs a look at each child of its folder, not at what lies below', async () => {
  const policies = allowing(['/home/big/*/s07/**']);
  const most = { rows: 2 * 101 + MOST.rows, blocks: 4 * (2 * 101 + MOST.rows) + MOST.blocks };
  const orderBy = { field: 'PATH', direction: 'DESC' } as const;
  expectBounded(await costOf(policies, (ctx) => secrets(ctx, {})), most);
  expectBounded(await costOf(policies, (ctx) => secrets(ctx, { last: PAGE })), most);
  expectBounded(await costOf(policies, (ctx) => secrets(ctx, { orderBy })), most);
  for (const path of ['/home', '/home/big', '/home/big/team-42']) {
    const children: Work = (ctx, on) => folderChildren(ctx, { region: on, path }, {});
    expectBounded(await costOf(policies, children), most);
    expectBounded(await costOf(policies, (ctx) => folder(ctx, { path })), most);
  }
  let total: number | null = 0;
  const counting: Work = async (ctx) => (total = await (await secrets(ctx, {})).totalCount());
  expectBounded(await costOf(policies, counting), {
    rows: 2_000 + 2 * most.rows,
    blocks: 6 * 2_000 + 2 * most.blocks,
  });
  expect(total).toBe(2_000);
});

/** Of 2,000 among the 100,000: those that lie everywhere in the order of times, and those that are the oldest of all. */
const TWO_PER_CENT = [
  ['everywhere', times(2, (n) => `/home/big/team-${two(42 + n)}/**`), '/home/big/team-4[23]/', 1_500],
  ['the oldest', times(100, (n) => `/home/big/team-${two(n)}/s49/**`), '/s49/', 5_000 + 2 * 2_001],
] as const;

test.each(TWO_PER_CENT)(
  'a page by time costs the way past what is hidden or what is seen, from indexes alone: %s',
  async (_, allowed, seen, most) => {
    const policies = allowing(allowed);
    for (const field of ['CREATED_AT', 'UPDATED_AT'] as const) {
      const orderBy = { field, direction: 'DESC' } as const;
      const page = await costOf(policies, (ctx) => secrets(ctx, { orderBy }));
      expect(page.rows).toBeLessThanOrEqual(1_001 + most + MOST.rows);
      // An entry that no vacuum has seen yet costs a look at its row; one search for each range is 4 blocks.
      expect(page.blocks).toBeLessThanOrEqual(page.rows + 3 * 4 * allowed.length + MOST.blocks);
      expect(page.scans.filter((scan) => scan.startsWith('Index Scan'))).toEqual([
        'Index Scan using secret_pkey',
      ]);
    }
    for (const direction of ['ASC', 'DESC'] as const) {
      for (const filter of [{}, { search: '/x9' }, { notAccessedSince: NOW.toISOString(), search: '/x1' }]) {
        const { rows } = await app.database.query<{ id: string }>(
          `SELECT id FROM secret WHERE organisation = 'huge' AND deleted_at IS NULL AND path ~ $1 AND path LIKE $2
           ORDER BY created_at ${direction}, id ${direction} LIMIT 50`,
          [seen, `%${filter.search ?? ''}%`],
        );
        const list = (args: object) =>
          secrets(listContext(region, 'huge', policies), {
            orderBy: { field: 'CREATED_AT', direction },
            filter,
            ...args,
          });
        const first = await list({ first: 30 });
        const next = await list({ first: 20, after: first.pageInfo.endCursor });
        const again = await list({ last: 10, before: first.pageInfo.endCursor });
        const idsOf = ({ edges }: typeof first) => edges.map(({ node }) => node.id);
        expect([...idsOf(first), ...idsOf(next)]).toEqual(rows.map(({ id }) => id));
        expect(idsOf(again)).toEqual(idsOf(first).slice(19, 29));
      }
    }
  },
);

test('who sees much more than 10,000 has no more than that counted, and a page by time read from its index', async () => {
  const half = allowing(times(50, (n) => `/home/big/team-${two(n * 2)}/**`));
  const most = { rows: 10_001 + 5 * MOST.rows, blocks: 3 * 10_001 };
  for (const policies of [half, EVERYTHING]) {
    let total: number | null = 0;
    const counting: Work = async (ctx) => (total = await (await secrets(ctx, {})).totalCount());
    expectBounded(await costOf(policies, counting), most);
    expect(total).toBeNull();
    const orderBy = { field: 'CREATED_AT', direction: 'DESC' } as const;
    expectBounded(await costOf(policies, (ctx) => secrets(ctx, { orderBy })), most);
    expectBounded(await costOf(policies, (ctx) => deletedSecrets(ctx, {})), most);
  }
});

test('ten secrets beside a subtree of 100,000 cost as much as ten alone, seen or hidden', async () => {
  const children = (policies: readonly Policy[], path: string, args = {}) =>
    costOf(policies, (ctx, on) => folderChildren(ctx, { region: on, path }, args));
  for (const policies of [EVERYTHING, allowing(['/home/**', '/alone/**'], ['/home/big/**'])]) {
    for (const args of [{}, { last: PAGE }]) {
      const alone = await children(policies, '/alone', args);
      const beside = await children(policies, '/home', args);
      // The folder beside them is one more child, and the plan's numbers are rounded.
      expectBounded(beside, { rows: alone.rows + 2, blocks: alone.blocks + 12 });
    }
  }
});

test.each(ONE_PER_CENT)(
  'a folder costs its own children, above what is hidden too: %s',
  async (_, policies) => {
    for (const path of ['/', '/home', '/home/big']) {
      for (const args of [{}, { last: PAGE }]) {
        const children: Work = (ctx, on) => folderChildren(ctx, { region: on, path }, args);
        expectBounded(await costOf(policies, children));
      }
      if (path !== '/') expectBounded(await costOf(policies, (ctx) => folder(ctx, { path })));
    }
  },
);
