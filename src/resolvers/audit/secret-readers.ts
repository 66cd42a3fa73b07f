import { findSecretReaders, type SecretReaderRow } from '../../db/audit/find-secret-readers.ts';
import type { RequestContext } from '../context/request-context.ts';
import { type Connection, connectionOf } from '../input/connection.ts';
import { parseDateTime } from '../input/parse-date-time.ts';
import { type Cursor, type PageArguments, parsePage } from '../input/parse-page.ts';
import type { Secret } from '../rows/secret-types.ts';
import { mayReadAudit } from './audit-access.ts';

export type SecretReader = SecretReaderRow;

/** Secret.readers: who read values of the secret, by issuer and subject; null without AUDIT_READ. */
export async function secretReaders(
  ctx: RequestContext,
  secret: Secret,
  args: PageArguments & { readonly since?: string | null },
): Promise<Connection<SecretReader> | null> {
  if (!(await mayReadAudit(ctx, secret.region))) return null;
  const since = args.since == null ? null : parseDateTime(args.since, ['since']);
  const list = `readers:${secret.id}`;
  const page = parsePage(args, list, isIdentity);
  const rows = await findSecretReaders(secret.region.db.client, secret, since, {
    after: identityOf(page.after),
    before: identityOf(page.before),
    descending: page.backward,
    limit: page.limit + 1,
  });
  return connectionOf(page, list, rows, ({ issuer, subject }) => [issuer, subject]);
}

function isIdentity(parts: readonly unknown[]): boolean {
  return parts.length === 2 && parts.every((part) => typeof part === 'string' && !part.includes('\0'));
}

function identityOf(cursor: Cursor | null) {
  return cursor && { issuer: String(cursor[0]), subject: String(cursor[1]) };
}
