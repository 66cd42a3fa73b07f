import { type DevelopmentIssuer, openDevelopmentIssuer } from '../auth/development-issuer.ts';
import { openRoomyPostgres } from '../db/embedded/roomy-postgres.ts';
import type { Logger } from '../http/log.ts';
import type { Region } from '../resolvers/context/request-context.ts';
import type { Config } from './config/config.ts';
import { openExternalKms } from './external-kms.ts';
import { openCheckedRegion, type PreparedRegion, prepareRegion } from './open-region.ts';
import { provisionDevelopment } from './provision-development.ts';

/** What gateways in processes of their own rest on. */
export interface Prepared {
  readonly regions: readonly PreparedRegion[];
  readonly developmentIssuer: DevelopmentIssuer | null;
  readonly notes: readonly string[];
  /** Stops the embedded Postgres, if there is one: the gateways have ended by then. */
  close(): Promise<void>;
}

/**
 * Does what is done once, however many gateways there are: starts the embedded Postgres, migrates, makes the keys that
 * are missing, checks that every provider and every root key is there, and provisions. Throws as `createApp` does.
 */
export async function prepare(config: Config, log: Logger): Promise<Prepared> {
  const embedded = config.regions.some(({ databaseUrl }) => databaseUrl === null)
    ? await openRoomyPostgres(config.dataDir, config.workers)
    : null;
  const close = async () => embedded?.close();
  try {
    const developmentIssuer = config.issuers ? null : await openDevelopmentIssuer(config.dataDir);
    const regions: PreparedRegion[] = [];
    for (const region of config.regions) regions.push(await prepareRegion(config, region, embedded));
    await checkAndProvision(config, regions, developmentIssuer !== null, log);
    return { regions, developmentIssuer, notes: embedded?.notes ?? [], close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function checkAndProvision(
  config: Config,
  prepared: readonly PreparedRegion[],
  isDevelopment: boolean,
  log: Logger,
): Promise<void> {
  const external = await openExternalKms(config, log);
  const closing = external.providers.map((provider) => () => provider.close());
  try {
    const regions: Region[] = [];
    for (const one of prepared) {
      const opened = await openCheckedRegion(one, log, external);
      closing.push(() => opened.close());
      regions.push(opened.region);
    }
    if (isDevelopment) await provisionDevelopment(regions, () => new Date());
  } finally {
    for (const close of closing.reverse()) await close();
  }
}
