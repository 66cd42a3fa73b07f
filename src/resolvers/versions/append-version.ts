import type { SecretRow } from '../../db/secret-row.ts';
import { ConflictError } from '../../errors.ts';
import type { SecretContent } from '../../kms/envelope/envelope.ts';
import { rememberResult } from '../operation/idempotency.ts';
import type { StatementOperation } from '../operation/operation.ts';
import { type SecretVersionPayload, secretVersionPayload } from '../rows/secret-types.ts';
import { keyOfSecret, type UsableKey, usableKey } from '../rows/usable-key.ts';
import { insertCurrentVersion, sealVersion } from '../rows/versions.ts';

interface Expectations {
  readonly expectedVersion: number | null;
  readonly idempotencyKey: string | null;
}

/** Writes content as the next version of a locked secret. Precondition: the caller is authorised. */
export async function appendVersion(
  operation: StatementOperation,
  secret: SecretRow,
  { expectedVersion, idempotencyKey }: Expectations,
  contentFor: (key: UsableKey) => Promise<SecretContent>,
): Promise<SecretVersionPayload> {
  const { region, run, event, at } = operation;
  const actual = secret.currentVersion ?? 0;
  if (expectedVersion !== null && expectedVersion !== actual) {
    throw new ConflictError('currentVersion', expectedVersion, actual);
  }
  const key = await usableKey(operation, keyOfSecret(secret));
  const number = secret.latestVersion + 1;
  const version = await sealVersion(operation, secret, number, key, await contentFor(key));
  event.version = number;
  await insertCurrentVersion(run, version);
  await rememberResult(operation, idempotencyKey, { resourceId: secret.id, version: number });
  const counters = { latestVersion: number, currentVersion: number, updatedAt: at };
  return secretVersionPayload(operation, region, { ...secret, ...counters }, version);
}
