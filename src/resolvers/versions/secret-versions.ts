import { type Connection, connectionOf } from '../input/connection.ts';
import { type PageArguments, parsePage } from '../input/parse-page.ts';
import { type Secret, type SecretVersion, versionOf } from '../rows/secret-types.ts';

/** Secret.versions: all that ever were, destroyed ones included, newest first. */
export async function secretVersions(
  secret: Secret,
  args: PageArguments,
): Promise<Connection<SecretVersion>> {
  const { organisation, id: secretId, region } = secret;
  const list = `versions:${secretId}`;
  const page = parsePage(args, list, isNumber);
  const below = page.after ? { lt: Number(page.after[0]) } : {};
  const above = page.before ? { gt: Number(page.before[0]) } : {};
  const rows = await region.db.client.secretVersion.findMany({
    where: { organisation, secretId, number: { ...below, ...above } },
    orderBy: { number: page.backward ? 'asc' : 'desc' },
    take: page.limit + 1,
    omit: { wrappedDataKey: true, ciphertext: true },
  });
  const versions = rows.map((row) => versionOf(secret, row));
  return connectionOf(page, list, versions, ({ number }) => [number]);
}

/** Whether a cursor is the number of a version. */
export function isNumber(parts: readonly unknown[]): boolean {
  const [number] = parts;
  return parts.length === 1 && Number.isInteger(number) && Number(number) >= 1 && Number(number) < 2 ** 31;
}
