import type { DecryptionFailedError, UserError } from '../../errors.ts';
import type { SecretContent } from '../../kms/envelope/envelope.ts';
import { KeySession } from '../../kms/keys/key-session.ts';
import type { ReadRequest } from './parse-read-request.ts';
import type { Region, RequestContext } from '../context/request-context.ts';

/** A value in the open, with what sealed it. */
export interface SecretValue {
  readonly path: string;
  readonly version: number;
  readonly content: SecretContent;
  readonly kmsKeyIdentity: string;
  readonly kmsKeyVersion: number;
}

export type ReadOutcome = SecretValue | UserError | DecryptionFailedError;

/**
 * Reads values with their audit events and the times of their last access: what is handed back has been committed. One
 * outcome for each request, in their order; a failed one takes no other with it.
 */
export async function readValues(
  ctx: RequestContext,
  region: Region,
  requests: readonly ReadRequest[],
): Promise<readonly ReadOutcome[]> {
  if (requests.length === 0) return [];
  ctx.limits.countValues(requests.length);
  const keys = new KeySession(region.keyCache);
  try {
    return await keys.run(() => region.reads.join(region, { ctx, keys, requests }));
  } finally {
    keys.close();
  }
}
