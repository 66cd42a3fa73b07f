import { rewrapSigningKey } from '../kms/keys/signing-key.ts';
import { bytesOf, type ChainRegion } from '../resolvers/audit/audit-signer.ts';

/**
 * Wraps the region's checkpoint keys by the newest root key, as rotating the root key needs; answers how many. Throws
 * `DecryptionFailedError` for a key whose root key is not configured any more. The keys themselves stay what they are.
 */
export async function rewrapSigningKeys({ name, db, rootKeys }: ChainRegion): Promise<number> {
  const due = await db.client.auditSigningKey.findMany({ where: { rootKeyId: { not: rootKeys.newestId } } });
  for (const stored of due) {
    const { wrappedPrivateKey, rootKeyId } = bytesOf(rewrapSigningKey(rootKeys, name, stored));
    await db.client.auditSigningKey.updateMany({
      where: { id: stored.id, rootKeyId: stored.rootKeyId },
      data: { wrappedPrivateKey, rootKeyId },
    });
  }
  return due.length;
}
