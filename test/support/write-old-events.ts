import { record } from '../../src/audit/record.ts';
import type { ChainRegion } from '../../src/resolvers/audit/audit-signer.ts';

const DAY_MS = 86_400_000;

/** Appends an event for each age, in days before `now`, to the chain of an organisation. */
export async function writeOldEvents(
  { db, name }: ChainRegion,
  organisation: string,
  ages: readonly number[],
  now: Date,
): Promise<void> {
  const actor = {
    ...{ organisation, project: '', subject: 'old', issuer: 'https://id.example', roles: [] },
    ...{ requestId: 'r', sourceIp: null, userAgent: null },
  };
  const event = {
    ...({ action: 'secret.update', outcome: 'SUCCESS', errorCode: null, resourceType: 'secret' } as const),
    ...{ resource: '/old', resourceId: null, version: null, details: {}, effects: [] },
  };
  for (const age of ages) {
    const at = new Date(now.getTime() - age * DAY_MS);
    await db.transaction((tx) => record(tx, name, actor, at, [event]));
  }
}
