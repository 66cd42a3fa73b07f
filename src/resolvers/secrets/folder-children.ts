import { Prisma } from '../../db/generated/client.ts';
import { walkChildren } from '../../db/path-filter-walk.ts';
import { findSecretsByKey, inScope } from '../../db/secret-row.ts';
import { runIn } from '../../db/statements.ts';
import { within } from '../../policy/list-filter.ts';
import { afterFolder, folderKeyPrefix, pathKey, pathOfKey } from '../../policy/secret-path.ts';
import type { RequestContext } from '../context/request-context.ts';
import { type Connection, connectionOf, emptyConnection } from '../input/connection.ts';
import { type Page, type PageArguments, parsePage } from '../input/parse-page.ts';
import type { Secret } from '../rows/secret-types.ts';
import type { Folder } from './find-folder.ts';
import { narrowFilter } from './narrow-filter.ts';
import { visibleSecrets } from './visible-secrets.ts';

export type PathNode = Folder | Secret;

/** One child of a folder: `key` is a secret's path key, or a folder's with its separator at the end. */
interface Child {
  readonly key: string;
  readonly isFolder: boolean;
}

/**
 * The folders and secrets one level below that the caller may find, by name, bytewise, a secret before the folder of its
 * name. It reads one index entry a child and leaps over what lies below and what is hidden, so it costs what is on the
 * page, whatever the subtree holds; patterns with a star in the middle are tested row by row, in what they name below each
 * child of the star's folder.
 */
export async function folderChildren(
  ctx: RequestContext,
  { region, path }: Folder,
  args: PageArguments,
): Promise<Connection<PathNode>> {
  const list = `folder:${path}`;
  const prefix = folderKeyPrefix(path);
  const page = parsePage(args, list, (parts) => isChildKey(prefix, parts));
  const filter = await visibleSecrets(ctx, region, path);
  if (filter.length === 0) return emptyConnection();
  const { client } = region.db;
  const where = Prisma.sql`${inScope(ctx.principal)} AND s.deleted_at IS NULL`;
  const cut = within(filter, ...between(page, prefix));
  const search = { filter: await narrowFilter(client, where, cut, page.backward), where };
  const children = await client.$queryRaw<Child[]>(
    walkChildren(search, prefix, page.backward, page.limit + 1),
  );
  const secrets = await findSecretsByKey(
    runIn(client),
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

/** The keys between the cursors: after a folder comes what is past all that lies below it, after a secret its folder. */
function between({ after, before }: Page, prefix: string): [low: string, high: string] {
  const child = String(after?.[0] ?? '');
  const past = child.endsWith('\u0001') ? afterFolder(child) : `${child}\u0001`;
  return [after ? past : prefix, before ? String(before[0]) : afterFolder(prefix)];
}

function isChildKey(prefix: string, parts: readonly unknown[]): boolean {
  const [key] = parts;
  if (parts.length !== 1 || typeof key !== 'string' || !key.startsWith(prefix)) return false;
  // eslint-disable-next-line no-control-regex -- the separator of path keys
  return /^[A-Za-z0-9_.+-]{1,128}\u0001?$/.test(key.slice(prefix.length));
}
