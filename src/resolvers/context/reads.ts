import type { DecryptionFailedError, FieldPath, UserError } from '../../errors.ts';
import type { SecretContent } from '../../kms/envelope/envelope.ts';

/** One value asked for. `field` says where in the input, for what only the stored version can tell. */
export interface ReadRequest {
  readonly path: string;
  readonly version: number | null;
  readonly keys: readonly string[] | null;
  readonly field: FieldPath;
}

/** A value in the open, with what sealed it. */
export interface SecretValue {
  readonly path: string;
  readonly version: number;
  readonly content: SecretContent;
  readonly kmsKeyIdentity: string;
  readonly kmsKeyVersion: number;
}

export type ReadOutcome = SecretValue | UserError | DecryptionFailedError;
