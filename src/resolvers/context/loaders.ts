import type DataLoader from 'dataloader';
import type { KmsKeyModel, SecretVersionModel } from '../../db/generated/models.ts';

/**
 * What many objects of one answer ask for one by one, fetched together. Nothing is kept: a second mutation in the same
 * request must not be answered with what was true before it.
 */
export interface Loaders {
  readonly secretLastAccessedAt: DataLoader<string, Date | null>;
  /** A version without what seals it. */
  readonly version: DataLoader<VersionKey, VersionMetadata | null>;
  readonly versionLastAccessedAt: DataLoader<VersionKey, Date | null>;
  /** The ACTIVE number next below the current one. */
  readonly previousVersion: DataLoader<string, number | null>;
  readonly kmsKey: DataLoader<string, KmsKeyModel | null>;
  /** How many ACTIVE secret versions a generation of a KMS key wraps. */
  readonly secretVersionCount: DataLoader<VersionKey, number>;
}

export type VersionMetadata = Omit<SecretVersionModel, 'wrappedDataKey' | 'ciphertext'>;

/** A secret's or KMS key's id, and a number of one of its versions. */
export interface VersionKey {
  readonly id: string;
  readonly number: number;
}
