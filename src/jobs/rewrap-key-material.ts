import { setTimeout as pause } from 'node:timers/promises';
import { DecryptionFailedError } from '../errors.ts';
import { rewrapMaterial } from '../kms/providers/local/provider.ts';
import type { Region } from '../resolvers/context/request-context.ts';
import { RESULT_KEPT_MS } from '../resolvers/operation/idempotency.ts';
import { rewrapSigningKeys } from './rewrap-signing-keys.ts';

/** How far the re-wrapping of a region has come. */
export interface RewrapProgress {
  readonly rewrapped: number;
  /** Key versions under older root keys that do not open: their material is damaged, or their root key is another. */
  readonly unopened: number;
  /** The ids of the older root keys that something rests on still, and until when at the latest; null: until it opens. */
  readonly needed: ReadonlyMap<string, Date | null>;
}

const BATCH = 100;

/**
 * Wraps every key version of the region, and what signs its audit checkpoints, under its newest root key, in transactions of 100, while the service goes on.
 * It can be stopped and run again at any time: what is done stays done.
 */
export async function rewrapKeyMaterial(
  region: Region,
  now: () => Date,
  onProgress: (rewrapped: number) => void = () => undefined,
): Promise<RewrapProgress> {
  const unopened = new Set<string>();
  let rewrapped = 0;
  for (;;) {
    const moved = await rewrapBatch(region, unopened);
    if (moved === 0) break;
    rewrapped += moved;
    onProgress(rewrapped);
    await pause(0);
  }
  await rewrapSigningKeys(region);
  return { rewrapped, unopened: unopened.size, needed: await stillNeeded(region, now()) };
}

/** How many were moved; 0 once all are, but for those that do not open, which are added to `unopened`. */
async function rewrapBatch({ name, db, rootKeys }: Region, unopened: Set<string>): Promise<number> {
  return db.transaction(async (tx) => {
    const versions = await tx.kmsKeyVersion.findMany({
      where: { rootKeyId: { notIn: [rootKeys.newestId] } },
      orderBy: [{ organisation: 'asc' }, { kmsKeyIdentity: 'asc' }, { number: 'asc' }],
      include: { kmsKey: true },
      take: BATCH + unopened.size,
    });
    let moved = 0;
    for (const version of versions) {
      const { organisation, kmsKeyIdentity, number, rootKeyId } = version;
      try {
        const { wrapped, rootKeyId: newest } = rewrapMaterial(
          rootKeys,
          { ...version.kmsKey, region: name },
          version,
        );
        const { count } = await tx.kmsKeyVersion.updateMany({
          where: { organisation, kmsKeyIdentity, number, rootKeyId },
          data: { wrappedMaterial: new Uint8Array(wrapped), rootKeyId: newest },
        });
        moved += count;
      } catch (error) {
        if (!(error instanceof DecryptionFailedError)) throw error;
        unopened.add(`${organisation}/${kmsKeyIdentity}/${number}`);
      }
    }
    return moved;
  });
}

/** Idempotency keys of the last day are compared under the root key of their time; key material until it is moved. */
async function stillNeeded({ db, rootKeys }: Region, at: Date): Promise<RewrapProgress['needed']> {
  const needed = new Map<string, Date | null>();
  const since = new Date(at.getTime() - RESULT_KEPT_MS);
  const records = await db.client.idempotencyRecord.groupBy({
    by: ['rootKeyId'],
    where: { rootKeyId: { not: rootKeys.newestId }, createdAt: { gt: since } },
    _max: { createdAt: true },
  });
  for (const { rootKeyId, _max } of records) {
    needed.set(rootKeyId, new Date((_max.createdAt ?? at).getTime() + RESULT_KEPT_MS));
  }
  const signing = await db.client.auditSigningKey.findMany({
    where: { rootKeyId: { not: rootKeys.newestId } },
  });
  for (const { rootKeyId } of signing) needed.set(rootKeyId, null);
  const versions = await db.client.kmsKeyVersion.findMany({
    where: { rootKeyId: { notIn: [rootKeys.newestId] } },
    distinct: ['rootKeyId'],
    select: { rootKeyId: true },
  });
  for (const { rootKeyId } of versions) if (rootKeyId !== null) needed.set(rootKeyId, null);
  return needed;
}
