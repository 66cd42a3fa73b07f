import type { KmsProvider } from '../provider.ts';
import { AwsKmsProvider } from './aws-kms/provider.ts';
import type { KmsProviderConfig } from './config.ts';
import { Pkcs11Provider } from './pkcs11/provider.ts';
import { TransitProvider } from './transit/provider.ts';

/** The configured providers, in their order. When one cannot be opened those before it are closed again. */
export async function openProviders(configs: readonly KmsProviderConfig[]): Promise<readonly KmsProvider[]> {
  const opened: KmsProvider[] = [];
  try {
    for (const config of configs) opened.push(await openProvider(config));
  } catch (error) {
    await Promise.allSettled(opened.map((provider) => provider.close()));
    throw error;
  }
  return opened;
}

async function openProvider(config: KmsProviderConfig): Promise<KmsProvider> {
  switch (config.kind) {
    case 'aws-kms':
      return AwsKmsProvider.open(config);
    case 'transit':
      return new TransitProvider(config);
    case 'pkcs11':
      return Pkcs11Provider.open(config);
  }
}
