import { Prisma } from '../db/generated/client.ts';
import { findSecretsByKey, inScope } from '../db/secret-row.ts';
import { listFilter } from '../policy/list-filter.ts';
import { factsOf } from './authorise.ts';
import { afterFolder, folderKeyPrefix, pathKey, pathOfKey } from '../policy/secret-path.ts';
import { type Connection, connectionOf, emptyConnection } from './connection.ts';
import type { Folder } from './folder.ts';
import { type PageArguments, parsePage } from './input/parse-page.ts';
import type { RequestContext } from './request-context.ts';
import type { Secret } from './secret-types.ts';

export type PathNode = Folder | Secret;

/** One child of a folder: `key` is a secret's path key, or a folder's with its separator at the end. */
interface Child {
  readonly key: string;
  readonly isFolder: boolean;
}

/**
 * The folders and secrets one level below, by name, bytewise, a secret before the folder of its name. It reads one index
 * entry a child and leaps over what lies below, so it costs what is on the page, whatever the subtree holds.
 */
export async function folderChildren(
  ctx: RequestContext,
  { region, path }: Folder,
  args: PageArguments,
): Promise<Connection<PathNode>> {
  const list = `folder:${path}`;
  const prefix = folderKeyPrefix(path);
  const page = parsePage(args, list, (parts) => isChildKey(prefix, parts));
  if (
    listFilter(ctx.principal, ['SECRET_LIST', 'SECRET_READ'], 'secret', await factsOf(ctx, region)) === 'NONE'
  ) {
    return emptyConnection();
  }
  const { client } = region.db;
  const [after] = page.after ?? [prefix];
  const [before] = page.before ?? [afterFolder(prefix)];
  const from = page.after ? pastChild(String(after)) : prefix;
  const children = await client.$queryRaw<Child[]>(
    walk(ctx, prefix, from, String(before), page.backward, page.limit + 1),
  );
  const secrets = await findSecretsByKey(
    client,
    ctx.principal,
    children.filter((child) => !child.isFolder).map((child) => child.key),
  );
  const byKey = new Map(secrets.map((secret) => [pathKey(secret.path), { ...secret, region }]));
  const nodes = children.flatMap(({ key, isFolder }) => {
    // A secret that went away between the two statements is left out.
    const node = isFolder ? { region, path: pathOfKey(key.slice(0, -1)) } : byKey.get(key);
    return node ? [{ key, node }] : [];
  });
  const connection = connectionOf(page, list, nodes, ({ key }) => [key]);
  return { ...connection, edges: connection.edges.map(({ cursor, node }) => ({ cursor, node: node.node })) };
}

/**
 * A loose index scan: each step finds the next secret beyond the last child, and a secret below a folder stands for that
 * folder, whose end is where the next step begins.
 */
function walk(
  ctx: RequestContext,
  prefix: string,
  from: string,
  to: string,
  backward: boolean,
  limit: number,
): Prisma.Sql {
  const start = prefix.length + 1;
  const direction = backward ? Prisma.sql`DESC` : Prisma.sql`ASC`;
  const next = (low: Prisma.Sql, high: Prisma.Sql) => Prisma.sql`(
    SELECT s.path_key FROM secret s
    WHERE ${inScope(ctx.principal)} AND s.deleted_at IS NULL AND s.path_key > ${low} AND s.path_key < ${high}
    ORDER BY s.path_key ${direction} LIMIT 1)`;
  const childOf = (key: Prisma.Sql) => Prisma.sql`
    CASE WHEN strpos(substr(${key}, ${start}::int), chr(1)) > 0
      THEN left(${key}, ${start}::int - 1 + strpos(substr(${key}, ${start}::int), chr(1)))
      ELSE ${key} END`;
  const low = Prisma.sql`${from}`;
  const high = Prisma.sql`${to}`;
  // Beyond a folder's key, which ends with chr(1), lies everything from chr(2) on; before it, all below the key itself.
  const step = backward
    ? next(low, Prisma.sql`c.key`)
    : next(
        Prisma.sql`CASE WHEN right(c.key, 1) = chr(1) THEN left(c.key, -1) || chr(2) ELSE c.key END`,
        high,
      );
  return Prisma.sql`
    WITH RECURSIVE child(key, n) AS (
      SELECT ${childOf(Prisma.sql`f.found`)} COLLATE "C", 1 FROM (SELECT ${next(low, high)} AS found) f
      UNION ALL
      SELECT ${childOf(Prisma.sql`f.found`)} COLLATE "C", f.n + 1
      FROM (SELECT ${step} AS found, c.n FROM child c WHERE c.key IS NOT NULL AND c.n < ${limit}::int) f
    )
    SELECT key, right(key, 1) = chr(1) AS "isFolder" FROM child WHERE key IS NOT NULL ORDER BY n`;
}

/** Where the walk goes on after a child: past all that lies below a folder. */
function pastChild(key: string): string {
  return key.endsWith('\u0001') ? `${key.slice(0, -1)}\u0002` : key;
}

function isChildKey(prefix: string, parts: readonly unknown[]): boolean {
  const [key] = parts;
  if (parts.length !== 1 || typeof key !== 'string' || !key.startsWith(prefix)) return false;
  // eslint-disable-next-line no-control-regex -- the separator of path keys
  return /^[A-Za-z0-9_.+-]{1,128}\u0001?$/.test(key.slice(prefix.length));
}
