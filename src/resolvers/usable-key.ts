import type { Transaction } from '../db/database.ts';
import type { KmsKeyModel, KmsKeyVersionModel } from '../db/generated/models.ts';
import type { Scope } from '../db/secret-row.ts';
import { DecryptionFailedError, InvalidInputError, KeyUnavailableError, NotFoundError } from '../errors.ts';
import type { BoundKey } from '../kms/envelope.ts';
import { RemoteCallNeeded } from '../kms/key-session.ts';
import type { KmsKeyGeneration } from '../kms/provider.ts';
import type { Operation } from './operate.ts';

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
  operation: Pick<Operation, 'tx' | 'region' | 'keys'>,
  key: KmsKey,
  number = key.latestVersion,
): Promise<UsableKey> {
  const version = await operation.tx.kmsKeyVersion.findUnique({
    where: {
      organisation_kmsKeyIdentity_number: {
        organisation: key.organisation,
        kmsKeyIdentity: key.identity,
        number,
      },
    },
  });
  return bindKey(operation, key, version);
}

export function bindKey(
  { region, keys }: Pick<Operation, 'region' | 'keys'>,
  key: KmsKey,
  version: KmsKeyVersionModel | null | undefined,
): UsableKey {
  const provider = region.providers.get(key.provider);
  if (key.status !== 'ACTIVE' || !provider || !version) throw new KeyUnavailableError(key.identity);
  return { bound: keys.bind(provider, { ...key, region: region.name }), generation: version };
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

const PASSED_ON = [DecryptionFailedError, InvalidInputError, RemoteCallNeeded] as const;

/**
 * Runs a use of the key. What its provider fails with makes it unavailable, an external key that is not there any more or
 * not fit too: nothing of a provider's may leave as an unknown error, which would undo what others do together with this.
 */
export async function useKey<T>(identity: string, use: () => Promise<T>): Promise<T> {
  try {
    return await use();
  } catch (error) {
    if (PASSED_ON.some((kind) => error instanceof kind)) throw error;
    throw new KeyUnavailableError(identity);
  }
}
