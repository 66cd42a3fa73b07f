import type { Database } from '../../db/database.ts';
import { Prisma } from '../../db/generated/client.ts';
import {
  type Search,
  selectFromRanges,
  selectFromScope,
  selectFromWalk,
  walkRanges,
} from '../../db/path-filter-walk.ts';
import { inScope, SECRET_COLUMNS, type SecretRow } from '../../db/secret-row.ts';
import { type ListFilter, within } from '../../policy/list-filter.ts';
import { afterFolder, folderKeyPrefix } from '../../policy/secret-path.ts';
import type { Region, RequestContext } from '../context/request-context.ts';
import { type Connection, connectionOf, emptyConnection, MAX_COUNTED } from '../input/connection.ts';
import { type Cursor, type Page, type PageArguments, parsePage } from '../input/parse-page.ts';
import type { Secret } from '../rows/secret-types.ts';
import { narrowFilter } from './narrow-filter.ts';
import { visibleSecrets } from './visible-secrets.ts';

export interface SecretOrder {
  readonly field: 'PATH' | 'CREATED_AT' | 'UPDATED_AT' | 'LAST_ACCESSED_AT' | 'DELETED_AT';
  readonly direction: 'ASC' | 'DESC';
}

/** What each order compares: never null, so that a cursor always stands somewhere. */
const POSITIONS: Readonly<Record<SecretOrder['field'], Prisma.Sql>> = {
  PATH: Prisma.sql`s.path_key`,
  CREATED_AT: Prisma.sql`s.created_at`,
  UPDATED_AT: Prisma.sql`s.updated_at`,
  // Never read sorts before every read.
  LAST_ACCESSED_AT: Prisma.sql`coalesce(a.last_accessed_at, '1970-01-01Z'::timestamptz)`,
  DELETED_AT: Prisma.sql`s.deleted_at`,
};

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export interface SecretList {
  /** Which rows it is about, live ones or others: a condition on s that an index over path keys knows. */
  readonly among: Prisma.Sql;
  /** What else must hold; may speak of s and its access a. */
  readonly conditions?: readonly Prisma.Sql[];
  /** Only what lies below, at whatever depth. */
  readonly folder?: string;
  readonly order: SecretOrder;
}

/**
 * A page of the secrets that the caller may find and that meet all conditions; the count is of these alone.
 *
 * What a page costs, where policies are literal prefixes: by PATH, the page and one probe for each range that it crosses,
 * whatever else the scope holds. By a time, what is smaller: what the caller may find, or the way to the end of the page past
 * what is hidden, and both are read in indexes alone. No index has LAST_ACCESSED_AT, which reads what there is to sort.
 * Patterns with a star in the middle are tested row by row, in what they name below each child of the star's folder.
 */
export async function listSecrets(
  ctx: RequestContext,
  region: Region,
  { among, conditions = [], folder, order }: SecretList,
  args: PageArguments,
): Promise<Connection<Secret>> {
  const list = `secrets:${order.field}:${order.direction}`;
  const page = parsePage(args, list, (parts) => isPosition(order, parts));
  const filter = await visibleSecrets(ctx, region, folder);
  if (filter.length === 0) return emptyConnection();
  const { client } = region.db;
  const scope = Prisma.sql`${inScope(ctx.principal)} AND ${among}`;
  const search = { filter, where: Prisma.join([scope, ...conditions], ' AND ') };
  const expression = POSITIONS[order.field];
  const find = (ids: Prisma.Sql) =>
    client.$queryRaw<(SecretRow & { position: Date | string })[]>`
      WITH found AS (${ids})
      SELECT t.* FROM found CROSS JOIN LATERAL (
        SELECT ${SECRET_COLUMNS}, ${expression} AS position
        FROM secret s LEFT JOIN secret_access a ON a.organisation = s.organisation AND a.secret_id = s.id
        WHERE ${inScope(ctx.principal)} AND s.id = found.id OFFSET 0) AS t
      ORDER BY t.position ${directionOf(order, page)}, t.id ${directionOf(order, page)}`;
  const findPage = async () => {
    if (order.field === 'PATH') {
      const between = betweenPaths(search, ...cursorsOf(order, page));
      const near = await narrowFilter(client, scope, between.filter, isDescending(order, page));
      return find(firstByPath({ ...between, filter: near }, order, page));
    }
    if (!isPartial(filter)) return find(firstByTime(search, order, page));
    const areAtMost = async (most: number, counted: ListFilter) =>
      (await countUpTo(client, { filter: wholeRanges(counted), where: scope }, most)) !== null;
    if (await areAtMost(FEW, filter)) return find(firstSorted(search, order, page));
    if (order.field !== 'LAST_ACCESSED_AT') {
      const rows = await find(firstWalked(filter, scope, conditions, order, page));
      if (rows.length > page.limit) return rows;
    }
    const near = await narrowFilter(client, scope, filter);
    if (await areAtMost(MAX_COUNTED, near))
      return find(firstSorted({ ...search, filter: near }, order, page));
    return find(firstByTime(search, order, page));
  };
  const located = (await findPage()).map((row) => ({ ...row, region }));
  return connectionOf(
    page,
    list,
    located,
    ({ position, id }) => [positionText(position), id],
    async () => {
      const near = await narrowFilter(client, scope, filter);
      return countUpTo(client, { ...search, filter: near }, MAX_COUNTED);
    },
  );
}

/** So many are sorted before anything else is tried. */
const FEW = 1_000;
/** So far the order of a time is followed before all that the caller may find is sorted instead. */
const WALKED = 5_000;
const NOTHING = Prisma.sql`1`;

/** How many rows the search finds; null for more than `most`. */
async function countUpTo(client: Database['client'], search: Search, most: number): Promise<number | null> {
  // In the order of an index: a scan of the table could pass everything that is hidden on its way.
  const rows =
    search.filter.length > 1
      ? selectFromRanges(search, NOTHING)
      : Prisma.sql`${selectFromScope(search, NOTHING)} ORDER BY s.path_key`;
  const [{ count }] = await client.$queryRaw<[{ count: number }]>`
    SELECT count(*)::int AS count FROM (${rows} LIMIT ${most + 1}) AS bounded`;
  return count > most ? null : count;
}

// Each answers the ids of the page and of one more, in no order.

function firstByPath(search: Search, order: SecretOrder, page: Page): Prisma.Sql {
  if (search.filter.length > 1) return walkRanges(search, isDescending(order, page), page.limit + 1);
  return Prisma.sql`${selectFromScope(search, Prisma.sql`s.id`)} ${first(order, page)}`;
}

/** How is left to the planner: mostly along the index of the time. */
function firstByTime(found: Search, order: SecretOrder, page: Page): Prisma.Sql {
  const where = between(found.where, order, page);
  return Prisma.sql`${selectFromScope({ ...found, where }, Prisma.sql`s.id`)} ${first(order, page)}`;
}

/** Reads all that the caller may find. */
function firstSorted(found: Search, order: SecretOrder, page: Page): Prisma.Sql {
  const where = between(found.where, order, page);
  const columns = Prisma.sql`s.id, ${POSITIONS[order.field]} AS position`;
  const direction = directionOf(order, page);
  return Prisma.sql`
    WITH candidate AS MATERIALIZED (${selectFromRanges({ ...found, where }, columns, order.field === 'LAST_ACCESSED_AT')})
    SELECT id FROM candidate ORDER BY position ${direction}, id ${direction} LIMIT ${page.limit + 1}`;
}

/** Follows the order past what is hidden, and gives up where the page may have to be looked for too long. */
function firstWalked(
  filter: ListFilter,
  scope: Prisma.Sql,
  conditions: readonly Prisma.Sql[],
  order: SecretOrder,
  page: Page,
): Prisma.Sql {
  const walk = {
    among: between(scope, order, page),
    position: POSITIONS[order.field],
    direction: directionOf(order, page),
    most: WALKED,
  };
  return Prisma.sql`${selectFromWalk(filter, conditions, walk)} LIMIT ${page.limit + 1}`;
}

function first(order: SecretOrder, page: Page): Prisma.Sql {
  const direction = directionOf(order, page);
  return Prisma.sql`
    ORDER BY ${POSITIONS[order.field]} ${direction}, s.id ${direction} LIMIT ${page.limit + 1}`;
}

/** What the page lies between, the lesser position first. */
function cursorsOf({ direction }: SecretOrder, { after, before }: Page): [Cursor | null, Cursor | null] {
  return direction === 'ASC' ? [after, before] : [before, after];
}

/** The condition, and that a row lies between the cursors of an order by time. */
function between(where: Prisma.Sql, order: SecretOrder, page: Page): Prisma.Sql {
  const [low, high] = cursorsOf(order, page);
  const expression = POSITIONS[order.field];
  const place = ([time, id]: Cursor) => Prisma.sql`(${time}::timestamptz, ${id}::uuid)`;
  const above = low ? [Prisma.sql`(${expression}, s.id) > ${place(low)}`] : [];
  const below = high ? [Prisma.sql`(${expression}, s.id) < ${place(high)}`] : [];
  return Prisma.join([where, ...above, ...below], ' AND ');
}

/**
 * Cuts the ranges, so that nothing on the other side of a cursor is read. A path may be there more than once, deleted: the
 * ids tell which of them lie on this side. It says no more than that, or the planner would count the cut twice.
 */
function betweenPaths({ filter, where }: Search, low: Cursor | null, high: Cursor | null): Search {
  const [from, to] = [String(low?.[0] ?? ''), high ? `${String(high[0])}\u0001` : '\u007f'];
  const above = low ? [Prisma.sql`NOT (s.path_key = ${from} AND s.id <= ${low[1]}::uuid)`] : [];
  const below = high ? [Prisma.sql`NOT (s.path_key = ${high[0]} AND s.id >= ${high[1]}::uuid)`] : [];
  return {
    filter: within(filter, from, to),
    where: Prisma.join([where, ...above, ...below], ' AND '),
  };
}

/** The ranges with all that lies in them: how many rows a filter has read, whatever it lets pass. */
function wholeRanges(filter: ListFilter): ListFilter {
  return filter.map((range) => ({ ...range, required: [], refused: [] }));
}

/** Whether the filter leaves anything out of the scope. */
function isPartial(filter: ListFilter): boolean {
  const [first] = filter;
  if (filter.length !== 1 || !first || first.required.length > 0 || first.refused.length > 0) return true;
  return first.low > folderKeyPrefix('/') || first.high < afterFolder(folderKeyPrefix('/'));
}

function isDescending(order: SecretOrder, page: Page): boolean {
  return (order.direction === 'DESC') !== page.backward;
}

function directionOf(order: SecretOrder, page: Page): Prisma.Sql {
  return isDescending(order, page) ? Prisma.sql`DESC` : Prisma.sql`ASC`;
}

function positionText(position: Date | string): string {
  return typeof position === 'string' ? position : position.toISOString();
}

function isPosition(order: SecretOrder, parts: readonly unknown[]): boolean {
  const [position, id] = parts;
  if (parts.length !== 2 || typeof position !== 'string' || typeof id !== 'string' || !UUID.test(id))
    return false;
  // eslint-disable-next-line no-control-regex -- the separator of path keys
  if (order.field === 'PATH') return /^(\u0001[A-Za-z0-9_.+-]{1,128}){1,32}$/.test(position);
  if (!/^\d{4}-/.test(position) || position.startsWith('0000')) return false;
  return !Number.isNaN(Date.parse(position)) && new Date(position).toISOString() === position;
}
