import DataLoader from 'dataloader';
import type { Database } from '../../db/database.ts';
import { Prisma } from '../../db/generated/client.ts';
import type { Scope } from '../../db/secret-row.ts';
import type { Loaders, VersionKey } from '../context/loaders.ts';

const UNCACHED = { cache: false };
/** For statements whose size grows with their keys. */
const BATCHED = { cache: false, maxBatchSize: 500 };

function textOf({ id, number }: VersionKey): string {
  return `${id}/${number}`;
}

export function createLoaders({ client }: Database, scope: Scope): Loaders {
  const { organisation, project } = scope;
  return {
    secretLastAccessedAt: new DataLoader(async (ids) => {
      const rows = await client.secretAccess.findMany({
        where: { organisation, secretId: { in: [...ids] } },
      });
      const times = new Map(rows.map((row) => [row.secretId, row.lastAccessedAt]));
      return ids.map((id) => times.get(id) ?? null);
    }, UNCACHED),
    version: new DataLoader(async (keys) => {
      const rows = await client.secretVersion.findMany({
        where: { organisation, OR: keys.map(({ id, number }) => ({ secretId: id, number })) },
        omit: { wrappedDataKey: true, ciphertext: true },
      });
      const versions = new Map(rows.map((row) => [textOf({ id: row.secretId, number: row.number }), row]));
      return keys.map((key) => versions.get(textOf(key)) ?? null);
    }, BATCHED),
    versionLastAccessedAt: new DataLoader(async (keys) => {
      const rows = await client.secretVersionAccess.findMany({
        where: {
          organisation,
          secretId: { in: keys.map((key) => key.id) },
          number: { in: keys.map((k) => k.number) },
        },
      });
      const times = new Map(rows.map((row) => [`${row.secretId}/${row.number}`, row.lastAccessedAt]));
      return keys.map((key) => times.get(textOf(key)) ?? null);
    }, UNCACHED),
    previousVersion: new DataLoader(async (ids) => {
      const rows = await client.$queryRaw<{ id: string; previous: number | null }[]>`
        SELECT s.id, (
          SELECT max(v.number) FROM secret_version v
          WHERE v.organisation = s.organisation AND v.secret_id = s.id AND v.status = 'ACTIVE'
            AND v.number < s.current_version
        ) AS previous
        FROM secret s WHERE s.organisation = ${organisation} AND s.id IN (${Prisma.join(ids.map(uuid))})`;
      const numbers = new Map(rows.map((row) => [row.id, row.previous]));
      return ids.map((id) => numbers.get(id) ?? null);
    }, UNCACHED),
    kmsKey: new DataLoader(async (identities) => {
      const rows = await client.kmsKey.findMany({
        where: { organisation, project, identity: { in: [...identities] } },
      });
      const keys = new Map(rows.map((row) => [row.identity, row]));
      return identities.map((identity) => keys.get(identity) ?? null);
    }, UNCACHED),
    secretVersionCount: new DataLoader(async (keys) => {
      const rows = await client.secretVersion.groupBy({
        by: ['kmsKeyIdentity', 'kmsKeyVersion'],
        where: { organisation, kmsKeyIdentity: { in: keys.map((key) => key.id) }, status: 'ACTIVE' },
        _count: true,
      });
      const counts = new Map(rows.map((row) => [`${row.kmsKeyIdentity}/${row.kmsKeyVersion}`, row._count]));
      return keys.map((key) => counts.get(textOf(key)) ?? 0);
    }, UNCACHED),
  };
}

function uuid(id: string): Prisma.Sql {
  return Prisma.sql`${id}::uuid`;
}
