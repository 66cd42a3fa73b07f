import type { Region } from '../resolvers/context/request-context.ts';
import { systemContext } from '../resolvers/context/system-context.ts';
import { createKmsKey } from '../resolvers/kms-keys/create-kms-key.ts';
import { DEVELOPMENT_ORGANISATION } from './development-organisation.ts';

const FIRST_KEY = 'default';

/** Gives the development organisation its first KMS key, as the operation that everybody uses, in the default region. */
export async function provisionDevelopment(regions: readonly Region[], now: () => Date): Promise<void> {
  const region = regions[0];
  if (!region) return;
  const scope = { organisation: DEVELOPMENT_ORGANISATION, project: '' };
  const existing = await region.db.client.kmsKey.findFirst({ where: { ...scope, name: FIRST_KEY } });
  if (existing) return;
  await createKmsKey(systemContext(region, scope, 'start', now), {
    name: FIRST_KEY,
    keyType: 'AES256_GCM96',
    description: 'The first key of development.',
  });
}
