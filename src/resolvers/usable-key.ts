import type { Transaction } from '../db/database.ts';
import type { KmsKeyModel, KmsKeyVersionModel } from '../db/generated/models.ts';
import type { Scope } from '../db/secret-row.ts';
import { DecryptionFailedError, KeyUnavailableError, NotFoundError } from '../errors.ts';
import type { BoundKey } from '../kms/envelope.ts';
import type { KmsKeyGeneration } from '../kms/provider.ts';
import type { Region } from './request-context.ts';

export type KmsKey = KmsKeyModel;

/** A KMS key that may be used now, with its provider and the generation that is called for. */
export interface UsableKey {
  readonly bound: BoundKey;
  readonly generation: KmsKeyGeneration;
}

export function findKmsKey(tx: Transaction, scope: Scope, identity: string): Promise<KmsKey | null> {
  return tx.kmsKey.findFirst({
    where: { organisation: scope.organisation, project: scope.project, identity },
  });
}

/** Keeps the key from being scheduled for deletion until the transaction ends: it is about to be depended on. */
export async function lockKmsKey(tx: Transaction, scope: Scope, identity: string): Promise<KmsKey | null> {
  if (identity.includes('\0')) return null; // An error to Postgres; no identity has one.
  await tx.$executeRaw`
    SELECT FROM kms_key
    WHERE organisation = ${scope.organisation} AND project = ${scope.project} AND identity = ${identity} FOR SHARE`;
  return findKmsKey(tx, scope, identity);
}

/** The key with one of its generations, the latest unless a number is given. Throws `KeyUnavailableError`. */
export async function usableKey(
  tx: Transaction,
  region: Region,
  key: KmsKey,
  number = key.latestVersion,
): Promise<UsableKey> {
  const version = await tx.kmsKeyVersion.findUnique({
    where: {
      organisation_kmsKeyIdentity_number: {
        organisation: key.organisation,
        kmsKeyIdentity: key.identity,
        number,
      },
    },
  });
  return bindKey(region, key, version);
}

export function bindKey(
  region: Region,
  key: KmsKey,
  version: KmsKeyVersionModel | null | undefined,
): UsableKey {
  const provider = region.providers.get(key.provider);
  if (key.status !== 'ACTIVE' || !provider || !version) throw new KeyUnavailableError(key.identity);
  return { bound: { provider, reference: { ...key, region: region.name } }, generation: version };
}

/** The key of a secret that is there: its foreign key says so. */
export async function keyOfSecret(
  tx: Transaction,
  secret: Scope & { readonly kmsKeyIdentity: string },
): Promise<KmsKey> {
  const key = await findKmsKey(tx, secret, secret.kmsKeyIdentity);
  if (!key) throw new NotFoundError('kmsKey');
  return key;
}

/** Runs a use of the key; whatever its provider fails with, but a ciphertext that does not open, makes it unavailable. */
export async function useKey<T>(identity: string, use: () => Promise<T>): Promise<T> {
  try {
    return await use();
  } catch (error) {
    if (error instanceof DecryptionFailedError) throw error;
    throw new KeyUnavailableError(identity);
  }
}
