import { ChainHeads } from '../audit/chain-heads.ts';
import { allowAuditRetention } from '../db/audit/allow-audit-retention.ts';
import { Database } from '../db/database.ts';
import type { EmbeddedPostgres } from '../db/embedded/embedded-postgres.ts';
import { migrate } from '../db/migrate/migrate.ts';
import { MigrationError } from '../db/migrate/migration-error.ts';
import { usedRootKeyIds } from '../db/used-root-keys.ts';
import { Notifications } from '../db/notifications.ts';
import { errorFacts, type Logger } from '../http/log.ts';
import { KeyCache } from '../kms/keys/key-cache.ts';
import { type RootKey, RootKeys } from '../kms/keys/root-keys.ts';
import type { KmsProvider } from '../kms/provider.ts';
import { LocalProvider } from '../kms/providers/local/provider.ts';
import type { Region } from '../resolvers/context/request-context.ts';
import { PolicyStore } from '../resolvers/operation/policy-store.ts';
import { createLoaders } from '../resolvers/rows/create-loaders.ts';
import { ReadGroups } from '../resolvers/values/read-groups.ts';
import type { Config } from './config/config.ts';
import type { RegionConfig } from './config/regions.ts';
import { openRootKeyFile } from './root-key-file.ts';
import { StartError } from './start-error.ts';

/** A region, ready for operations. */
export interface OpenRegion {
  readonly region: Region;
  readonly connectionString: string;
  readonly close: () => Promise<void>;
}

/** A region whose database is migrated, and whose root keys exist. */
export interface PreparedRegion {
  readonly name: string;
  readonly databaseUrl: string;
  readonly rootKeys: readonly RootKey[];
}

type External = Pick<Region, 'mayBind'> & { readonly providers: readonly KmsProvider[] };

/** Migrates and opens a region's database, and its keys. Throws `StartError`. */
export async function openRegion(
  config: Config,
  region: RegionConfig,
  embedded: EmbeddedPostgres | null,
  log: Logger,
  external: External,
): Promise<OpenRegion> {
  return openCheckedRegion(await prepareRegion(config, region, embedded), log, external);
}

/** Migrates a region's database, and finds its root keys or makes one. Throws `StartError`. */
export async function prepareRegion(
  config: Config,
  { name, databaseUrl, rootKeys }: RegionConfig,
  embedded: EmbeddedPostgres | null,
): Promise<PreparedRegion> {
  const connectionString = databaseUrl ?? embedded?.connectionString;
  if (connectionString === undefined) throw new Error('A region without a database.');
  try {
    await migrate(connectionString);
    await allowAuditRetention(connectionString, config.auditRetentionDays);
  } catch (error) {
    throw new StartError(
      `The database of region ${name} could not be opened or migrated: see DATABASE_URL or STRONGROOM_REGIONS. ` +
        (error instanceof MigrationError ? error.message : JSON.stringify(errorFacts(error))),
    );
  }
  return {
    name,
    databaseUrl: connectionString,
    rootKeys: rootKeys ?? (await openRootKeyFile(config.dataDir, name)),
  };
}

/** Opens a prepared region, if its root keys are those that its database needs. Throws `StartError`. */
export async function openCheckedRegion(
  prepared: PreparedRegion,
  log: Logger,
  external: External,
): Promise<OpenRegion> {
  const opened = await openPreparedRegion(prepared, log, external);
  try {
    await requireRootKeys(opened.region);
  } catch (error) {
    await opened.close();
    throw error;
  }
  return opened;
}

/** Opens a region that this service has prepared and checked, perhaps in another process. */
export async function openPreparedRegion(
  { name, databaseUrl: connectionString, rootKeys }: RegionConfig,
  log: Logger,
  external: External,
): Promise<OpenRegion> {
  if (connectionString === null || rootKeys === null) throw new Error('A region that was not prepared.');
  const keys = new RootKeys(rootKeys);
  const db = new Database(connectionString, (error) =>
    log.warn(errorFacts(error), 'database connection lost'),
  );
  const notifications = await Notifications.open(connectionString, (error) =>
    log.warn(errorFacts(error), 'notifications interrupted'),
  );
  const keyCache = new KeyCache();
  const close = async () => {
    keyCache.close();
    await notifications.close();
    await db.close();
  };
  notifications.on('kms-key', {
    notified: (owner) => keyCache.forget(owner),
    interrupted: () => keyCache.pause(),
    resumed: () => keyCache.resume(),
  });
  const policies = new PolicyStore(db, notifications);
  const all = [new LocalProvider(keys, keyCache), ...external.providers];
  const providers = new Map<string, KmsProvider>(all.map((provider) => [provider.name, provider]));
  const region: Region = {
    name,
    db,
    rootKeys: keys,
    providers,
    mayBind: external.mayBind,
    keyCache,
    notifications,
    policies,
    reads: new ReadGroups(),
    createLoaders: (scope) => createLoaders(db, scope),
    heads: new ChainHeads(),
  };
  return { region, connectionString, close };
}

/** Better no service than one that answers every read with a failure, or seals under a key that nobody has backed up. */
async function requireRootKeys({ name, db, rootKeys }: Region): Promise<void> {
  const ids = await usedRootKeyIds(db.statements.run);
  const missing = ids.filter((id) => !rootKeys.has(id));
  if (missing.length === 0) return;
  throw new StartError(
    `The database of region ${name} holds keys under the root key ${missing.join(', ')}, which is not configured. ` +
      'Without it no secret in there can be opened: give it back in STRONGROOM_ROOT_KEY or the data directory.',
  );
}
