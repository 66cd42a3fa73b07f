import { DecryptionFailedError, UserError } from '../../errors.ts';

/** Failures that are outcomes of an operation, and so events of the log. */
export function isRecordable(error: unknown): error is UserError | DecryptionFailedError {
  return error instanceof UserError || error instanceof DecryptionFailedError;
}
