import { createServer, type Server } from 'node:http';
import { createAuthenticator } from './auth/authenticate.ts';
import { type DevelopmentIssuer, openDevelopmentIssuer } from './auth/development-issuer.ts';
import type { Config, RegionConfig } from './config.ts';
import { allowAuditRetention } from './db/allow-audit-retention.ts';
import { Database } from './db/database.ts';
import { type EmbeddedPostgres, openEmbeddedPostgres } from './db/embedded-postgres.ts';
import { migrate } from './db/migrate.ts';
import { createHandler } from './http/handler.ts';
import { errorFacts, type Logger } from './http/log.ts';
import { Metrics } from './http/metrics.ts';
import { LocalProvider } from './kms/local-provider.ts';
import { RootKeys } from './kms/root-keys.ts';
import { openRootKeyFile } from './root-key-file.ts';
import { type Region } from './resolvers/request-context.ts';
import { provisionDevelopment } from './provision-development.ts';

/** The service, built and ready to listen. */
export interface App {
  readonly server: Server;
  /** Present where nobody has configured an issuer. */
  readonly developmentIssuer: DevelopmentIssuer | null;
  /** Sentences for whoever started it. */
  readonly notes: readonly string[];
  /** Stops accepting, lets what is in flight finish, and closes the databases. */
  close(): Promise<void>;
}

export interface AppOptions {
  readonly now?: () => Date;
  readonly postgresSettings?: Readonly<Record<string, string>>;
}

/** Builds the service: the only place that constructs things. */
export async function createApp(config: Config, log: Logger, options: AppOptions = {}): Promise<App> {
  const now = options.now ?? (() => new Date());
  const closing: (() => Promise<void>)[] = [];
  const closeAll = async () => {
    for (const close of closing.splice(0).reverse()) await close();
  };
  try {
    const embedded = config.regions.some(({ databaseUrl }) => databaseUrl === null)
      ? await openEmbeddedPostgres({ dataDir: config.dataDir, settings: options.postgresSettings ?? {} })
      : null;
    if (embedded) closing.push(() => embedded.close());
    const developmentIssuer = config.issuers ? null : await openDevelopmentIssuer(config.dataDir);
    const regions: Region[] = [];
    for (const region of config.regions) {
      const opened = await openRegion(config, region, embedded, log);
      closing.push(() => opened.db.close());
      regions.push(opened);
    }
    if (developmentIssuer) await provisionDevelopment(regions, now);
    const issuers = config.issuers ?? (developmentIssuer ? [developmentIssuer.config] : []);
    const server = createServer(
      { headersTimeout: 10_000, requestTimeout: 30_000, maxHeaderSize: 16_384, keepAliveTimeout: 30_000 },
      createHandler({
        ...{ regions, now, log },
        authenticate: createAuthenticator(issuers),
        trustedProxies: config.trustedProxies,
        graphiql: config.graphiql,
        corsOrigins: config.corsOrigins,
        loopbackOnly: !config.production && developmentIssuer !== null,
        metrics: new Metrics(),
        ready: () => isReady(regions, log),
      }),
    );
    closing.push(() => drain(server));
    return { server, developmentIssuer, notes: embedded?.notes ?? [], close: closeAll };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

async function openRegion(
  config: Config,
  { name, databaseUrl, rootKeys }: RegionConfig,
  embedded: EmbeddedPostgres | null,
  log: Logger,
): Promise<Region> {
  const connectionString = databaseUrl ?? embedded?.connectionString;
  if (connectionString === undefined) throw new Error('A region without a database.');
  try {
    await migrate(connectionString);
    await allowAuditRetention(connectionString, config.auditRetentionDays);
  } catch (error) {
    throw new StartError(
      `The database of region ${name} could not be opened or migrated: see DATABASE_URL or STRONGROOM_REGIONS. ` +
        JSON.stringify(errorFacts(error)),
    );
  }
  const keys = new RootKeys(rootKeys ?? (await openRootKeyFile(config.dataDir, name)));
  const db = new Database(connectionString, (error) =>
    log.warn(errorFacts(error), 'database connection lost'),
  );
  const region = { name, db, rootKeys: keys, providers: new Map([['local', new LocalProvider(keys)]]) };
  try {
    await requireRootKeys(region);
  } catch (error) {
    await db.close();
    throw error;
  }
  return region;
}

const DRAIN_MS = 20_000;

/** A start that nobody can go on from; its message is for the operator. */
export class StartError extends Error {
  override readonly name = 'StartError';
}

/** Better no service than one that answers every read with a failure, or seals under a key that nobody has backed up. */
async function requireRootKeys({ name, db, rootKeys }: Region): Promise<void> {
  const used = await db.client.kmsKeyVersion.findMany({
    where: { rootKeyId: { not: null } },
    distinct: ['rootKeyId'],
    select: { rootKeyId: true },
  });
  const missing = used.map(({ rootKeyId }) => rootKeyId ?? '').filter((id) => !rootKeys.has(id));
  if (missing.length === 0) return;
  throw new StartError(
    `The database of region ${name} holds keys under the root key ${missing.join(', ')}, which is not configured. ` +
      'Without it no secret in there can be opened: give it back in STRONGROOM_ROOT_KEY or the data directory.',
  );
}

async function isReady(regions: readonly Region[], log: Logger): Promise<boolean> {
  try {
    await Promise.all(regions.map(({ db }) => db.client.$queryRaw`SELECT sequence FROM audit_head LIMIT 1`));
    return true;
  } catch (error) {
    log.error(errorFacts(error), 'not ready');
    return false;
  }
}

function drain(server: Server): Promise<void> {
  return new Promise((resolve) => {
    if (!server.listening) return resolve();
    // Once it is closed, Node no longer ends requests that do not come to their end: a client could hold it open.
    const patience = setTimeout(() => server.closeAllConnections(), DRAIN_MS).unref();
    server.close(() => {
      clearTimeout(patience);
      resolve();
    });
    server.closeIdleConnections();
  });
}
