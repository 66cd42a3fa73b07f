import type { KmsKeyModel, SecretVersionModel } from '../../db/generated/models.ts';
import type { SecretRow } from '../../db/secret-row.ts';
import type { Region } from '../context/request-context.ts';
import { type Deciding, may, secretAt } from '../operation/authorise.ts';

/** A secret in its region, as operations answer it: its caller may read it. */
export type Secret = SecretRow & { readonly region: Region };

/** A version with its secret; metadata only, whatever the row holds besides. */
export type SecretVersion = Pick<
  SecretVersionModel,
  | 'number'
  | 'status'
  | 'valueFormat'
  | 'kmsKeyVersion'
  | 'createdAt'
  | 'createdBySubject'
  | 'createdByIssuer'
  | 'destroyedAt'
  | 'destroyedBySubject'
  | 'destroyedByIssuer'
> & { readonly secret: Secret };

/** A KMS key in its region. */
export type KmsKey = KmsKeyModel & { readonly region: Region };

/** `secret` is null for a caller without SECRET_READ on it. */
export interface SecretPayload {
  readonly secret: Secret | null;
}

export interface SecretVersionPayload extends SecretPayload {
  readonly version: SecretVersion;
}

export function secretPayload(deciding: Deciding, region: Region, row: SecretRow): SecretPayload {
  return { secret: may(deciding, 'SECRET_READ', secretAt(row.path)) ? { ...row, region } : null };
}

export function secretVersionPayload(
  deciding: Deciding,
  region: Region,
  row: SecretRow,
  version: Omit<SecretVersion, 'secret'>,
): SecretVersionPayload {
  return { ...secretPayload(deciding, region, row), version: versionOf({ ...row, region }, version) };
}

export function versionOf(secret: Secret, version: Omit<SecretVersion, 'secret'>): SecretVersion {
  const { number, status, valueFormat, kmsKeyVersion, createdAt, createdBySubject, createdByIssuer } =
    version;
  const { destroyedAt, destroyedBySubject, destroyedByIssuer } = version;
  return {
    ...{ secret, number, status, valueFormat, kmsKeyVersion, createdAt, createdBySubject, createdByIssuer },
    ...{ destroyedAt, destroyedBySubject, destroyedByIssuer },
  };
}
