import type { KmsKeyVersionModel } from '../../db/generated/models.ts';
import { type Connection, connectionOf } from '../input/connection.ts';
import { type PageArguments, parsePage } from '../input/parse-page.ts';
import type { KmsKey } from '../rows/secret-types.ts';
import { isNumber } from '../versions/secret-versions.ts';

/** A generation of a KMS key, without its material. */
export type KmsKeyVersion = Pick<KmsKeyVersionModel, 'number' | 'createdAt'> & { readonly kmsKey: KmsKey };

/** KmsKey.versions: newest first. */
export async function kmsKeyVersions(
  kmsKey: KmsKey,
  args: PageArguments,
): Promise<Connection<KmsKeyVersion>> {
  const { organisation, identity, region } = kmsKey;
  const list = `key-versions:${identity}`;
  const page = parsePage(args, list, isNumber);
  const below = page.after ? { lt: Number(page.after[0]) } : {};
  const above = page.before ? { gt: Number(page.before[0]) } : {};
  const rows = await region.db.client.kmsKeyVersion.findMany({
    where: { organisation, kmsKeyIdentity: identity, number: { ...below, ...above } },
    orderBy: { number: page.backward ? 'asc' : 'desc' },
    take: page.limit + 1,
    select: { number: true, createdAt: true },
  });
  const versions = rows.map((row) => ({ ...row, kmsKey }));
  return connectionOf(page, list, versions, ({ number }) => [number]);
}
