import type { KmsKeyModel } from '../../db/generated/models.ts';
import type { Scope } from '../../db/secret-row.ts';
import type { Statement } from '../../db/statements.ts';
import type { Transaction } from '../../db/transaction.ts';
import {
  DecryptionFailedError,
  InvalidInputError,
  KeyUnavailableError,
  NotFoundError,
} from '../../errors.ts';
import type { BoundKey } from '../../kms/envelope/envelope.ts';
import { RemoteCallNeeded } from '../../kms/keys/key-session.ts';
import type { KmsKeyGeneration, KmsKeyReference } from '../../kms/provider.ts';
import type { StatementOperation } from '../operation/operation.ts';

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

const FIND_USABLE: Statement = {
  name: 'find-usable-key',
  text: `
    SELECT
      k.organisation, k.identity, k.project, k.key_type AS "keyType", k.status, k.provider,
      k.external_key_id AS "externalKeyId", g.number, g.wrapped_material AS "wrappedMaterial",
      g.root_key_id AS "rootKeyId", g.external_version AS "externalVersion"
    FROM kms_key k LEFT JOIN kms_key_version g
      ON g.organisation = k.organisation AND g.kms_key_identity = k.identity
      AND g.number = coalesce($4::int, k.latest_version)
    WHERE k.organisation = $1 AND k.project = $2 AND k.identity = $3`,
};

type UsableRow = Pick<
  KmsKey,
  'organisation' | 'identity' | 'project' | 'keyType' | 'status' | 'provider' | 'externalKeyId'
> &
  Omit<KmsKeyGeneration, 'number'> & { readonly number: number | null };

/**
 * A key with one of its generations, the latest unless a number is given. Throws `NotFoundError`, or `KeyUnavailableError`
 * where it may not be used.
 */
export async function usableKey(
  operation: Pick<StatementOperation, 'run' | 'region' | 'keys'>,
  { organisation, project, identity }: Scope & { readonly identity: string },
  generation: number | null = null,
): Promise<UsableKey> {
  const [row] = await operation.run<UsableRow>(FIND_USABLE, [organisation, project, identity, generation]);
  if (!row) throw new NotFoundError('kmsKey');
  const { number, wrappedMaterial, rootKeyId, externalVersion, ...key } = row;
  const found = number === null ? null : { number, wrappedMaterial, rootKeyId, externalVersion };
  return bindKey(operation, key, found);
}

/** The key that seals and opens a secret's versions. */
export function keyOfSecret(secret: Scope & { readonly kmsKeyIdentity: string }) {
  const { organisation, project, kmsKeyIdentity: identity } = secret;
  return { organisation, project, identity };
}

export function bindKey(
  { region, keys }: Pick<StatementOperation, 'region' | 'keys'>,
  key: Omit<KmsKeyReference, 'region'> & Pick<KmsKey, 'status' | 'provider'>,
  version: KmsKeyGeneration | null | undefined,
): UsableKey {
  const provider = region.providers.get(key.provider);
  if (key.status !== 'ACTIVE' || !provider || !version) throw new KeyUnavailableError(key.identity);
  return { bound: keys.bind(provider, { ...key, region: region.name }), generation: version };
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
