import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Prisma } from '../../../src/db/generated/client.ts';
import { selectFromRanges, selectFromWalk } from '../../../src/db/path-filter-walk.ts';
import { decide } from '../../../src/policy/decide.ts';
import type { Permission } from '../../../src/policy/permission.ts';
import type { Policy, Resource } from '../../../src/policy/policy.ts';
import { parentOfPath, pathKey } from '../../../src/policy/secret-path.ts';
import type { Region } from '../../../src/resolvers/context/request-context.ts';
import type { Connection } from '../../../src/resolvers/input/connection.ts';
import { encodeGlobalId } from '../../../src/resolvers/input/global-id.ts';
import { encodeCursor, type PageArguments } from '../../../src/resolvers/input/parse-page.ts';
import { kmsKeySecrets } from '../../../src/resolvers/kms-keys/kms-key-secrets.ts';
import { kmsKeys } from '../../../src/resolvers/kms-keys/kms-keys.ts';
import { node } from '../../../src/resolvers/node.ts';
import type { KmsKey } from '../../../src/resolvers/rows/secret-types.ts';
import { deletedSecrets } from '../../../src/resolvers/secrets/deleted-secrets.ts';
import { folderChildren } from '../../../src/resolvers/secrets/folder-children.ts';
import { folder } from '../../../src/resolvers/secrets/folder.ts';
import type { SecretOrder } from '../../../src/resolvers/secrets/list-secrets.ts';
import { narrowFilter } from '../../../src/resolvers/secrets/narrow-filter.ts';
import { secrets } from '../../../src/resolvers/secrets/secrets.ts';
import { visibleSecrets } from '../../../src/resolvers/secrets/visible-secrets.ts';
import {
  closeListRegion,
  listContext,
  type ListedSecret,
  listRegion,
  NOW,
} from '../../support/list-context.ts';
import { path, policies, READER } from '../../support/random-policies.ts';
import { type TestApp, testApp } from '../../support/test-app.ts';

let app: TestApp;
let region: Region;

beforeAll(async () => {
  app = await testApp();
  region = await listRegion(app.databaseUrl);
});
afterAll(async () => {
  await closeListRegion(region);
  await app.close();
});

const KEYS = ['kms-a', 'kms-ab', 'kms-b', 'kms-0', 'kms-abab'] as const;
const hour = (n: number) => new Date(NOW.getTime() + n * 3_600_000);
/** Few of them, so that many rows have the same. */
const past = fc.constantFrom(-3, -2, -1).map(hour);

const secret: fc.Arbitrary<ListedSecret> = fc
  .record({
    ...{ id: fc.uuid(), path, kmsKey: fc.constantFrom(...KEYS), createdAt: past, updatedAt: past },
    lastAccessedAt: fc.option(past),
    deletedAt: fc.option(past, { freq: 2 }),
    purgeAt: fc.constantFrom(-1, 1, 1, 1).map(hour),
  })
  .map((row) => ({ ...row, purgeAt: row.deletedAt && row.purgeAt }));
/** Of a path one secret is live; deleted ones are as many as there were. */
const trees = fc
  .uniqueArray(secret, { minLength: 20, maxLength: 60, selector: ({ id }) => id })
  .map((rows) => {
    const live = new Set<string>();
    return rows.filter(
      (row) => row.deletedAt !== null || (!live.has(row.path) && Boolean(live.add(row.path))),
    );
  });

let organisations = 0;

/** Puts the rows into an organisation of their own. */
async function insert(rows: readonly ListedSecret[]): Promise<string> {
  const organisation = `case-${organisations++}`;
  await app.database.query(
    `INSERT INTO kms_key (organisation, identity, project, name, key_type, provider, latest_version, created_at,
       created_by_subject, created_by_issuer)
     SELECT $1, k, '', k, 'AES256_GCM96', 'local', 1, $2, 's', 'i' FROM unnest($3::text[]) AS k`,
    [organisation, NOW, KEYS],
  );
  await app.database.query(
    `WITH row AS (
       SELECT * FROM jsonb_to_recordset($2::jsonb) AS r(id uuid, path text, "kmsKey" text, "createdAt" timestamptz,
         "updatedAt" timestamptz, "lastAccessedAt" timestamptz, "deletedAt" timestamptz, "purgeAt" timestamptz)
     ), access AS (
       INSERT INTO secret_access SELECT $1, id, "lastAccessedAt" FROM row WHERE "lastAccessedAt" IS NOT NULL
     )
     INSERT INTO secret (organisation, id, project, path, kms_key_identity, labels, annotations, latest_version,
       object_version, created_at, created_by_subject, created_by_issuer, updated_at, deleted_at, purge_at)
     SELECT $1, id, '', path, "kmsKey", '{}', '{}', 1, 1, "createdAt", 's', 'i', "updatedAt", "deletedAt", "purgeAt"
     FROM row`,
    [organisation, JSON.stringify(rows)],
  );
  return organisation;
}

const may = (list: readonly Policy[], resource: Resource, ...permissions: readonly Permission[]) =>
  permissions.every(
    (permission) =>
      decide(READER, permission, resource, { policies: list, clientAddress: null, at: NOW }).allowed,
  );
const isFound = (list: readonly Policy[]) => (row: ListedSecret) =>
  may(list, { kind: 'secret', name: row.path }, 'SECRET_LIST', 'SECRET_READ');

const isWaiting = ({ purgeAt }: ListedSecret) => purgeAt !== null && purgeAt > NOW;
const isLive = ({ deletedAt }: ListedSecret) => deletedAt === null;

const POSITIONS: Readonly<Record<SecretOrder['field'], (row: ListedSecret) => string>> = {
  PATH: (row) => pathKey(row.path),
  CREATED_AT: (row) => row.createdAt.toISOString(),
  UPDATED_AT: (row) => row.updatedAt.toISOString(),
  LAST_ACCESSED_AT: (row) => (row.lastAccessedAt ?? new Date(0)).toISOString(),
  DELETED_AT: (row) => row.deletedAt?.toISOString() ?? '',
};
const bytewise = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

/** The ids in an order, sorted the plain way. */
function inOrder(rows: readonly ListedSecret[], { field, direction }: SecretOrder): string[] {
  const position = POSITIONS[field];
  const sorted = rows.toSorted((a, b) => bytewise(position(a), position(b)) || bytewise(a.id, b.id));
  return (direction === 'ASC' ? sorted : sorted.reverse()).map(({ id }) => id);
}

type List<T> = (args: PageArguments) => Promise<Connection<T>>;

/** Walks a whole list, forward or backward, and checks what each page says of where it stands. */
async function walk<T>(list: List<T>, size: number, backward: boolean): Promise<T[]> {
  const all: T[] = [];
  for (let cursor: string | null = null; ;) {
    const { edges, pageInfo } = await list(
      backward ? { last: size, before: cursor } : { first: size, after: cursor },
    );
    const nodes = edges.map((edge) => edge.node);
    if (backward) all.unshift(...nodes);
    else all.push(...nodes);
    expect(backward ? pageInfo.hasNextPage : pageInfo.hasPreviousPage).toBe(cursor !== null);
    if (!(backward ? pageInfo.hasPreviousPage : pageInfo.hasNextPage)) return all;
    expect(edges).toHaveLength(size);
    cursor = backward ? pageInfo.startCursor : pageInfo.endCursor;
  }
}
const ids = (nodes: readonly { readonly id: string }[]) => nodes.map(({ id }) => id);
const nameOf = (child: { readonly path: string }) =>
  'id' in child ? pathKey(child.path) : `${pathKey(child.path)}\u0001`;

/** What stands in each folder: the keys of secrets, and those of folders with a separator at the end. */
function treeOf(rows: readonly ListedSecret[]): Map<string, string[]> {
  const tree = new Map<string, Set<string>>([['/', new Set()]]);
  for (const row of rows) {
    let key = pathKey(row.path);
    for (let at = parentOfPath(row.path); at !== null; at = parentOfPath(at)) {
      tree.set(at, (tree.get(at) ?? new Set()).add(key));
      key = `${pathKey(at)}\u0001`;
    }
  }
  return new Map([...tree].map(([at, keys]) => [at, [...keys].sort(bytewise)]));
}

const orders = fc.record({
  field: fc.constantFrom(
    'PATH' as const,
    'PATH' as const,
    'CREATED_AT' as const,
    'UPDATED_AT' as const,
    'LAST_ACCESSED_AT' as const,
  ),
  direction: fc.constantFrom('ASC' as const, 'DESC' as const),
});
const sizes = fc.constantFrom(2, 3, 7);

test('lists and counts hold exactly what decide allows both to list and to read (GHSA-xp3c-3jw3-4vcr)', async () => {
  await fc.assert(
    fc.asyncProperty(
      policies,
      trees,
      orders,
      sizes,
      fc.boolean(),
      async (list, rows, orderBy, size, backward) => {
        const ctx = listContext(region, await insert(rows), list);
        const found = rows.filter(isFound(list));
        const live = found.filter(isLive);
        const all = (args: PageArguments) => secrets(ctx, { ...args, orderBy });
        expect(ids(await walk(all, size, backward))).toEqual(inOrder(live, orderBy));
        expect(await (await all({ first: 1 })).totalCount()).toBe(live.length);

        const gone = await walk((args) => deletedSecrets(ctx, args), size, backward);
        const latestFirst = { field: 'DELETED_AT', direction: 'DESC' } as const;
        expect(ids(gone)).toEqual(inOrder(found.filter(isWaiting), latestFirst));
      },
    ),
    { numRuns: 100 },
  );
}, 120_000);

test('a filter that is narrowed where patterns have stars lets the same pass, however few children are looked at', async () => {
  await fc.assert(
    fc.asyncProperty(
      policies,
      trees,
      fc.constantFrom(1, 2, 100),
      fc.boolean(),
      async (list, rows, most, backward) => {
        const organisation = await insert(rows);
        const ctx = listContext(region, organisation, list);
        const { client } = region.db;
        const where = Prisma.sql`s.organisation = ${organisation} AND s.project = '' AND s.deleted_at IS NULL`;
        const filter = await narrowFilter(
          client,
          where,
          await visibleSecrets(ctx, ctx.region),
          backward,
          most,
        );
        const found = await client.$queryRaw<{ id: string }[]>(
          selectFromRanges({ filter, where }, Prisma.sql`s.id`),
        );
        expect(ids(found).sort()).toEqual(ids(rows.filter(isLive).filter(isFound(list))).sort());
        const ends = filter.flatMap(({ low, high }) => [low, high]);
        expect(ends).toEqual(ends.toSorted(bytewise));
      },
    ),
    { numRuns: 100 },
  );
}, 120_000);

test('an order of times that is followed past what is hidden finds the same as sorting, and as far as it goes', async () => {
  const directions = fc.constantFrom('ASC' as const, 'DESC' as const);
  await fc.assert(
    fc.asyncProperty(policies, trees, directions, fc.boolean(), async (list, rows, direction, some) => {
      const organisation = await insert(rows);
      const ctx = listContext(region, organisation, list);
      const filter = await visibleSecrets(ctx, ctx.region);
      const among = Prisma.sql`s.organisation = ${organisation} AND s.project = '' AND s.deleted_at IS NULL`;
      const conditions = some ? [Prisma.sql`s.kms_key_identity = 'kms-a'`, Prisma.sql`a IS NOT NULL`] : [];
      const meets = (row: ListedSecret) => !some || (row.kmsKey === 'kms-a' && row.lastAccessedAt !== null);
      const order = { field: 'UPDATED_AT', direction } as const;
      const live = rows.filter(isLive);
      const nearest = new Set(inOrder(live, order).slice(0, 30));
      for (const [most, reached] of [
        [1_000, live],
        [30, live.filter(({ id }) => nearest.has(id))],
      ] as const) {
        const walked = { among, position: Prisma.sql`s.updated_at`, direction: Prisma.raw(direction), most };
        const found = await region.db.client.$queryRaw<{ id: string }[]>(
          selectFromWalk(filter, conditions, walked),
        );
        expect(ids(found)).toEqual(inOrder(reached.filter(isFound(list)).filter(meets), order));
      }
    }),
    { numRuns: 60 },
  );
}, 120_000);

test('a folder is there exactly while it holds something to be found, and its children are just these', async () => {
  await fc.assert(
    fc.asyncProperty(policies, trees, sizes, fc.boolean(), async (list, rows, size, backward) => {
      const ctx = listContext(region, await insert(rows), list);
      const live = rows.filter(isLive);
      const tree = treeOf(live.filter(isFound(list)));
      for (const at of new Set([...treeOf(live).keys(), ...rows.slice(0, 5).map((row) => row.path)])) {
        const found = await folder(ctx, { path: at });
        expect([at, found?.path]).toEqual([at, tree.has(at) ? at : undefined]);
        if (!found) continue;
        const children = await walk((args) => folderChildren(ctx, found, args), size, backward);
        expect([at, children.map(nameOf)]).toEqual([at, tree.get(at)]);
      }
    }),
    { numRuns: 40 },
  );
}, 120_000);

test('a node is given exactly where decide allows to read it, or a folder holds something to be found', async () => {
  await fc.assert(
    fc.asyncProperty(policies, trees, async (list, rows) => {
      const ctx = listContext(region, await insert(rows), list);
      const tree = treeOf(rows.filter(isLive).filter(isFound(list)));
      for (const row of rows.slice(0, 10)) {
        const seen = await node(ctx, { id: encodeGlobalId('Secret', region.name, row.id) });
        const readable = may(list, { kind: 'secret', name: row.path }, 'SECRET_READ');
        expect(seen !== null).toBe(readable && (isLive(row) || isWaiting(row)));
        const parent = parentOfPath(row.path) ?? '/';
        const holding = await node(ctx, { id: encodeGlobalId('Folder', region.name, parent) });
        expect([parent, holding !== null]).toEqual([parent, tree.has(parent)]);
      }
    }),
    { numRuns: 20 },
  );
}, 120_000);

test('a part of a list, asked for by prefix or by key, holds exactly what decide allows', async () => {
  await fc.assert(
    fc.asyncProperty(policies, trees, path, orders, sizes, async (list, rows, pathPrefix, orderBy, size) => {
      const ctx = listContext(region, await insert(rows), list);
      const found = rows.filter(isFound(list));
      const below = found.filter((row) => isLive(row) && row.path.startsWith(`${pathPrefix}/`));
      const filter = { pathPrefix };
      const prefixed = (args: PageArguments) => secrets(ctx, { ...args, filter, orderBy });
      expect(ids(await walk(prefixed, size, true))).toEqual(inOrder(below, orderBy));
      expect(await (await prefixed({})).totalCount()).toBe(below.length);

      const keys = KEYS.filter((name) =>
        may(list, { kind: 'kms-key', name }, 'KMS_KEY_LIST', 'KMS_KEY_READ'),
      );
      for (const backward of [false, true]) {
        const listed = await walk((args) => kmsKeys(ctx, args), size, backward);
        expect(listed.map(({ identity }) => identity)).toEqual([...keys].sort());
      }
      const key = { identity: 'kms-a', region: ctx.region } as KmsKey;
      const bound = found.filter((row) => row.kmsKey === key.identity && (isLive(row) || isWaiting(row)));
      for (const backward of [false, true]) {
        const dependent = await walk((args) => kmsKeySecrets(ctx, key, args), size, backward);
        expect(ids(dependent)).toEqual(inOrder(bound, { field: 'PATH', direction: 'ASC' }));
      }
      expect(await (await kmsKeySecrets(ctx, key, {})).totalCount()).toBe(bound.length);
    }),
    { numRuns: 50 },
  );
}, 120_000);

/** All that an answer tells, but for the organisation. */
async function told(connection: Connection<{ readonly path: string }>) {
  return {
    ...{ pageInfo: connection.pageInfo, totalCount: await connection.totalCount() },
    edges: connection.edges.map(({ cursor, node: { path: at, ...rest } }) => [
      cursor,
      at,
      'id' in rest && rest.id,
    ]),
  };
}

test('what is hidden leaves no trace, whatever cursor is sent: the answers are those of a place without it', async () => {
  await fc.assert(
    fc.asyncProperty(
      policies,
      trees,
      orders,
      sizes,
      fc.boolean(),
      fc.nat(),
      async (list, rows, orderBy, size, backward, n) => {
        const found = rows.filter(isFound(list));
        const [full, bare] = [await insert(rows), await insert(found)];
        // A cursor of any row there is, in most cases of one that the caller may not see.
        const hidden = rows.filter((row) => !found.includes(row));
        const at = hidden[n % hidden.length] ?? rows[0];
        if (!at) return;
        const cursorIn = (name: string, ...parts: string[]) => {
          const cursor = encodeCursor(name, parts);
          return backward ? { last: size, before: cursor } : { first: size, after: cursor };
        };
        const position = POSITIONS[orderBy.field](at);
        const parent = parentOfPath(at.path) ?? '/';
        const ask = async (organisation: string) => {
          const ctx = listContext(region, organisation, list);
          const key = { identity: at.kmsKey, region: ctx.region } as KmsKey;
          const listed = cursorIn(`secrets:${orderBy.field}:${orderBy.direction}`, position, at.id);
          const dependent = cursorIn('secrets:PATH:ASC', pathKey(at.path), at.id);
          const deleted = cursorIn('secrets:DELETED_AT:DESC', (at.deletedAt ?? NOW).toISOString(), at.id);
          return [
            await told(await secrets(ctx, { ...listed, orderBy })),
            await told(await deletedSecrets(ctx, deleted)),
            await told(await kmsKeySecrets(ctx, key, dependent)),
            await told(
              await folderChildren(
                ctx,
                { region: ctx.region, path: parent },
                cursorIn(`folder:${parent}`, pathKey(at.path)),
              ),
            ),
            await told(
              await folderChildren(
                ctx,
                { region: ctx.region, path: parent },
                cursorIn(`folder:${parent}`, `${pathKey(at.path)}\u0001`),
              ),
            ),
          ];
        };
        expect(await ask(full)).toEqual(await ask(bare));
      },
    ),
    { numRuns: 50 },
  );
}, 120_000);
