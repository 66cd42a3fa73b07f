import { Prisma } from '../db/generated/client.ts';
import { inScope, SECRET_COLUMNS, type SecretRow } from '../db/secret-row.ts';
import { listFilter } from '../policy/list-filter.ts';
import { factsOf } from './authorise.ts';
import { type Connection, connectionOf, emptyConnection, MAX_COUNTED } from './connection.ts';
import { type Cursor, type PageArguments, parsePage } from './input/parse-page.ts';
import type { Region, RequestContext } from './request-context.ts';
import type { Secret } from './secret-types.ts';

export interface SecretOrder {
  readonly field: 'PATH' | 'CREATED_AT' | 'UPDATED_AT' | 'LAST_ACCESSED_AT' | 'DELETED_AT';
  readonly direction: 'ASC' | 'DESC';
}

/** What each order compares: never null, so that a cursor always stands somewhere. */
const POSITIONS: Record<
  SecretOrder['field'],
  { readonly expression: Prisma.Sql; readonly type: Prisma.Sql }
> = {
  PATH: { expression: Prisma.sql`s.path_key`, type: Prisma.sql`text` },
  CREATED_AT: { expression: Prisma.sql`s.created_at`, type: Prisma.sql`timestamptz` },
  UPDATED_AT: { expression: Prisma.sql`s.updated_at`, type: Prisma.sql`timestamptz` },
  LAST_ACCESSED_AT: {
    // Never read sorts before every read.
    expression: Prisma.sql`coalesce(a.last_accessed_at, '1970-01-01Z'::timestamptz)`,
    type: Prisma.sql`timestamptz`,
  },
  DELETED_AT: { expression: Prisma.sql`s.deleted_at`, type: Prisma.sql`timestamptz` },
};

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** A page of the secrets that the caller may find and that meet all conditions, which may speak of s and its access a. */
export async function listSecrets(
  ctx: RequestContext,
  region: Region,
  conditions: readonly Prisma.Sql[],
  order: SecretOrder,
  args: PageArguments,
): Promise<Connection<Secret>> {
  const list = `secrets:${order.field}:${order.direction}`;
  const page = parsePage(args, list, (parts) => isPosition(order, parts));
  const filter = listFilter(
    ctx.principal,
    ['SECRET_LIST', 'SECRET_READ'],
    'secret',
    await factsOf(ctx, region),
  );
  if (filter === 'NONE') return emptyConnection();
  const { expression, type } = POSITIONS[order.field];
  const ascending = (order.direction === 'ASC') !== page.backward;
  const visible = Prisma.join([inScope(ctx.principal), ...conditions], ' AND ');
  const from = Prisma.sql`
    FROM secret s LEFT JOIN secret_access a ON a.organisation = s.organisation AND a.secret_id = s.id`;
  const beyond = (cursor: Cursor | null, above: boolean) => {
    if (!cursor) return Prisma.empty;
    const [position, id] = cursor;
    const place = Prisma.sql`(${position}::${type}, ${id}::uuid)`;
    return above
      ? Prisma.sql`AND (${expression}, s.id) > ${place}`
      : Prisma.sql`AND (${expression}, s.id) < ${place}`;
  };
  const direction = ascending ? Prisma.sql`ASC` : Prisma.sql`DESC`;
  const rows = await region.db.client.$queryRaw<(SecretRow & { position: Date | string })[]>`
    SELECT ${SECRET_COLUMNS}, ${expression} AS position ${from}
    WHERE ${visible}
      ${beyond(page.after, order.direction === 'ASC')} ${beyond(page.before, order.direction === 'DESC')}
    ORDER BY ${expression} ${direction}, s.id ${direction} LIMIT ${page.limit + 1}`;
  const count = async () => {
    const [counted] = await region.db.client.$queryRaw<[{ count: number }]>`
      SELECT count(*)::int AS count FROM (SELECT ${from} WHERE ${visible} LIMIT ${MAX_COUNTED + 1}) AS bounded`;
    return counted.count > MAX_COUNTED ? null : counted.count;
  };
  const located = rows.map((row) => ({ ...row, region }));
  return connectionOf(page, list, located, ({ position, id }) => [positionText(position), id], count);
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
