import { errorFacts, type Logger } from '../http/log.ts';
import type { KmsProvider } from '../kms/provider.ts';
import { BoundedProvider } from '../kms/providers/bounded.ts';
import { maySelect } from '../kms/providers/config.ts';
import { openProviders } from '../kms/providers/open.ts';
import type { Region } from '../resolvers/context/request-context.ts';
import type { Config } from './config/config.ts';
import { StartError } from './start-error.ts';

/** The providers of keys that live outside, and which of their keys an organisation may bind. */
export interface ExternalKms {
  readonly providers: readonly KmsProvider[];
  readonly mayBind: Region['mayBind'];
}

/** Opens what STRONGROOM_KMS_PROVIDERS configures, each held to its timeout. Throws `StartError`. */
export async function openExternalKms({ kmsProviders }: Config, log: Logger): Promise<ExternalKms> {
  try {
    const opened = await openProviders(kmsProviders);
    const providers = opened.map((provider, index) => {
      const failed = (error: unknown) =>
        log.warn({ provider: provider.name, ...errorFacts(error) }, 'a KMS provider failed');
      return new BoundedProvider(provider, kmsProviders[index]?.timeoutMs ?? 0, failed);
    });
    const mayBind: Region['mayBind'] = (name, organisation, externalKeyId) => {
      const config = kmsProviders.find((candidate) => candidate.name === name);
      return config !== undefined && maySelect(config, organisation, externalKeyId);
    };
    return { providers, mayBind };
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'it failed';
    throw new StartError(`A provider of STRONGROOM_KMS_PROVIDERS could not be opened: ${reason}`);
  }
}
