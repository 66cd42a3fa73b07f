import type { Region } from '../resolvers/context/request-context.ts';
import { RESULT_KEPT_MS } from '../resolvers/operation/idempotency.ts';

const BATCH = 1_000;

/** Removes what idempotency keys stood for once it is of no use: a fingerprint is of an input that may hold a value. */
export async function forgetExpiredResults(region: Region, now: () => Date): Promise<void> {
  const before = new Date(now().getTime() - RESULT_KEPT_MS);
  for (let deleted = BATCH; deleted === BATCH;) {
    deleted = await region.db.client.$executeRaw`
      DELETE FROM idempotency_record WHERE ctid IN (
        SELECT ctid FROM idempotency_record WHERE created_at < ${before} LIMIT ${BATCH} FOR UPDATE SKIP LOCKED
      )`;
  }
}
