import type { Transaction } from './database.ts';

/**
 * Moves the times of last access to `at`, never back. Rows are taken in the order of their ids: two requests that read
 * the same secrets in different orders would otherwise wait for each other for ever.
 */
export async function touchAccess(
  tx: Transaction,
  organisation: string,
  read: readonly { readonly secretId: string; readonly number: number }[],
  at: Date,
): Promise<void> {
  if (read.length === 0) return;
  const ids = read.map((version) => version.secretId);
  const numbers = read.map((version) => version.number);
  await tx.$executeRaw`
    INSERT INTO secret_access (organisation, secret_id, last_accessed_at)
    SELECT DISTINCT ${organisation}, r.id, ${at}::timestamptz FROM unnest(${ids}::uuid[]) AS r(id) ORDER BY r.id
    ON CONFLICT (organisation, secret_id) DO UPDATE
    SET last_accessed_at = greatest(secret_access.last_accessed_at, excluded.last_accessed_at)`;
  await tx.$executeRaw`
    INSERT INTO secret_version_access (organisation, secret_id, number, last_accessed_at)
    SELECT DISTINCT ${organisation}, r.id, r.number, ${at}::timestamptz
    FROM unnest(${ids}::uuid[], ${numbers}::int[]) AS r(id, number) ORDER BY r.id, r.number
    ON CONFLICT (organisation, secret_id, number) DO UPDATE
    SET last_accessed_at = greatest(secret_version_access.last_accessed_at, excluded.last_accessed_at)`;
}
