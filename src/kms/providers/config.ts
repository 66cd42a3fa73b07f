import { z } from 'zod';
import { type AwsKmsConfig, awsKmsConfigSchema } from './aws-kms/config.ts';
import { type Pkcs11Config, pkcs11ConfigSchema } from './pkcs11/config.ts';
import { type TransitConfig, transitConfigSchema } from './transit/config.ts';

/** One provider of keys that live outside, as checked: made by `kmsProviderListSchema` and by nothing else. */
export type KmsProviderConfig = AwsKmsConfig | TransitConfig | Pkcs11Config;

/**
 * STRONGROOM_KMS_PROVIDERS as a whole, once parsed as JSON. One external key serves one organisation, in whichever entry
 * it stands: two that shared a key could have their secrets opened by the same right outside.
 */
export function kmsProviderListSchema(production: boolean) {
  const entry = z.discriminatedUnion(
    'kind',
    [pkcs11ConfigSchema, awsKmsConfigSchema(production), transitConfigSchema(production)],
    {
      error: ({ input }) =>
        typeof input === 'object' && input !== null
          ? 'must be pkcs11, aws-kms or transit'
          : 'must be an object',
    },
  );
  return z.array(entry, 'must be a list of providers').superRefine((entries, context) => {
    const names = new Set<string>();
    const owners = new Map<string, string>();
    for (const [index, config] of entries.entries()) {
      const refuse = (member: keyof KmsProviderConfig, message: string) =>
        context.addIssue({ code: 'custom', path: [index, member], message });
      if (names.has(config.name)) refuse('name', 'must be unique: an earlier entry has the same name');
      names.add(config.name);
      for (const [organisation, keys] of Object.entries(config.externalKeys)) {
        const shared = keys
          .map((key) => JSON.stringify(fullNameOf(config, key)))
          .filter((key) => (owners.get(key) ?? owners.set(key, organisation).get(key)) !== organisation);
        if (shared.length > 0) refuse('externalKeys', 'must not give one key to two organisations');
      }
    }
  });
}

/** Whether the operator lets an organisation bind an external key of this provider. */
export function maySelect(
  config: Pick<KmsProviderConfig, 'externalKeys'>,
  organisation: string,
  externalKeyId: string,
): boolean {
  const keys = Object.hasOwn(config.externalKeys, organisation) ? config.externalKeys[organisation] : [];
  return keys?.includes(externalKeyId) ?? false;
}

/** What names the key itself, whichever provider it is reached through. */
function fullNameOf(config: KmsProviderConfig, key: string): readonly (string | undefined)[] {
  // Without partition and region: the replicas of a multi-Region key are one key.
  if (config.kind === 'aws-kms') return [config.kind, ...key.split(':').slice(4)];
  if (config.kind === 'pkcs11') return [config.kind, config.module, config.tokenLabel, key];
  return [config.kind, config.address, config.namespace, config.mount, key];
}
