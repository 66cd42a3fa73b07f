import { Prisma } from '../db/generated/client.ts';
import { inScope, SECRET_COLUMNS, type SecretRow } from '../db/secret-row.ts';
import { type Search, selectFromRanges, selectFromScope, walkRanges } from '../db/path-filter-walk.ts';
import { type ListFilter, within } from '../policy/list-filter.ts';
import { afterFolder, folderKeyPrefix } from '../policy/secret-path.ts';
import { type Connection, connectionOf, emptyConnection, MAX_COUNTED } from './connection.ts';
import { type Cursor, type Page, type PageArguments, parsePage } from './input/parse-page.ts';
import type { Region, RequestContext } from './request-context.ts';
import type { Secret } from './secret-types.ts';
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
 * whatever else the scope holds. By a time, at most the 10,000 rows of a caller who may find no more than that. Who may
 * find more has the index of that time walked, past what is hidden: as many rows again as the caller's share is small. No
 * index has LAST_ACCESSED_AT, which reads what there is to sort. Patterns with a star in the middle are tested row by row
 * in the range of what comes before the star.
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
  const where = Prisma.sql`${inScope(ctx.principal)} AND ${among}`;
  const search = { filter, where: Prisma.join([where, ...conditions], ' AND ') };
  const count = async (counted: Search) => {
    // In the order of an index: a scan of the table could pass everything that is hidden on its way.
    const rows =
      filter.length > 1
        ? selectFromRanges(counted, NOTHING)
        : Prisma.sql`${selectFromScope(counted, NOTHING)} ORDER BY s.path_key`;
    const [{ count }] = await client.$queryRaw<[{ count: number }]>`
      SELECT count(*)::int AS count FROM (${rows} LIMIT ${MAX_COUNTED + 1}) AS bounded`;
    return count > MAX_COUNTED ? null : count;
  };
  const isSorted =
    order.field !== 'PATH' &&
    isPartial(filter) &&
    (await count({ filter: wholeRanges(filter), where })) !== null;
  const expression = POSITIONS[order.field];
  const rows = await client.$queryRaw<(SecretRow & { position: Date | string })[]>`
    WITH found AS (${firstIds(search, order, page, isSorted)})
    SELECT t.* FROM found CROSS JOIN LATERAL (
      SELECT ${SECRET_COLUMNS}, ${expression} AS position
      FROM secret s LEFT JOIN secret_access a ON a.organisation = s.organisation AND a.secret_id = s.id
      WHERE ${inScope(ctx.principal)} AND s.id = found.id OFFSET 0) AS t
    ORDER BY t.position ${directionOf(order, page)}, t.id ${directionOf(order, page)}`;
  const located = rows.map((row) => ({ ...row, region }));
  return connectionOf(
    page,
    list,
    located,
    ({ position, id }) => [positionText(position), id],
    () => count(search),
  );
}

const NOTHING = Prisma.sql`1`;

/** The ids of the page and of one more, in no order. */
function firstIds(found: Search, order: SecretOrder, page: Page, isSorted: boolean): Prisma.Sql {
  const [low, high] = order.direction === 'ASC' ? [page.after, page.before] : [page.before, page.after];
  const isPath = order.field === 'PATH';
  const search = isPath ? betweenPaths(found, low, high) : betweenTimes(found, order.field, low, high);
  const expression = POSITIONS[order.field];
  const direction = directionOf(order, page);
  const limit = page.limit + 1;
  if (isSorted) {
    return Prisma.sql`
      WITH candidate AS MATERIALIZED (${selectFromRanges(search, Prisma.sql`s.id, ${expression} AS position`)})
      SELECT id FROM candidate ORDER BY position ${direction}, id ${direction} LIMIT ${limit}`;
  }
  if (isPath && found.filter.length > 1) return walkRanges(search, isDescending(order, page), limit);
  return Prisma.sql`
    ${selectFromScope(search, Prisma.sql`s.id`)}
    ORDER BY ${expression} ${direction}, s.id ${direction} LIMIT ${limit}`;
}

function betweenTimes(
  { filter, where }: Search,
  field: SecretOrder['field'],
  low: Cursor | null,
  high: Cursor | null,
): Search {
  const expression = POSITIONS[field];
  const place = ([time, id]: Cursor) => Prisma.sql`(${time}::timestamptz, ${id}::uuid)`;
  const above = low ? [Prisma.sql`(${expression}, s.id) > ${place(low)}`] : [];
  const below = high ? [Prisma.sql`(${expression}, s.id) < ${place(high)}`] : [];
  return { filter, where: Prisma.join([where, ...above, ...below], ' AND ') };
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
