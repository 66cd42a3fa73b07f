import { randomUUID } from 'node:crypto';
import { createKmsKey } from './resolvers/create-kms-key.ts';
import { createLoaders } from './resolvers/loaders.ts';
import type { Region, RequestContext } from './resolvers/request-context.ts';
import { RequestLimits } from './resolvers/request-limits.ts';

export const DEVELOPMENT_ORGANISATION = 'acme';
const FIRST_KEY = 'default';

/** Gives the development organisation its first KMS key, as the operation that everybody uses, in the default region. */
export async function provisionDevelopment(regions: readonly Region[], now: () => Date): Promise<void> {
  const region = regions[0];
  if (!region) return;
  const organisation = DEVELOPMENT_ORGANISATION;
  const existing = await region.db.client.kmsKey.findFirst({
    where: { organisation, project: '', name: FIRST_KEY },
  });
  if (existing) return;
  const principal = {
    ...{ subject: 'start', issuer: 'strongroom', organisation, project: '', roles: ['strongroom:admin'] },
    ...{ claims: {}, expiresAt: now() },
  };
  const ctx: RequestContext = {
    ...{ requestId: randomUUID(), principal, clientAddress: null, userAgent: null, now, regions },
    limits: new RequestLimits(),
    loaders: (from) => createLoaders(from, principal),
    openedEntries: [],
  };
  await createKmsKey(ctx, {
    name: FIRST_KEY,
    keyType: 'AES256_GCM96',
    description: 'The first key of development.',
  });
}
