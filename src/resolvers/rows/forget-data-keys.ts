import { notify } from '../../db/notifications.ts';
import type { SecretRow } from '../../db/secret-row.ts';
import { ownerOf } from '../../kms/keys/key-cache.ts';
import type { Operation } from '../operation/operation.ts';

/**
 * Has every gateway drop what it unwrapped with the secret's KMS key, once the transaction has committed: at once on this
 * one. A data key from a remote provider would otherwise outlive the version that it opened. All of the KMS key's go,
 * because a rewrap or a restore elsewhere leaves the same data key under more than one name.
 */
export async function forgetDataKeys(
  { tx, keys }: Operation,
  { organisation, kmsKeyIdentity }: Pick<SecretRow, 'organisation' | 'kmsKeyIdentity'>,
): Promise<void> {
  const owner = ownerOf({ organisation, identity: kmsKeyIdentity });
  keys.forgetAtClose(owner);
  await notify(tx, 'kms-key', owner);
}
