import { KeySession } from '../../kms/keys/key-session.ts';
import type { ReadOutcome, ReadRequest } from '../context/reads.ts';
import type { Region, RequestContext } from '../context/request-context.ts';

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
