import { createServer, type Server } from 'node:http';
import { createAuthenticator } from './auth/authenticate.ts';
import { type DevelopmentIssuer, openDevelopmentIssuer } from './auth/development-issuer.ts';
import type { Config } from './config.ts';
import { openEmbeddedPostgres } from './db/embedded-postgres.ts';
import { openJobQueue } from './db/job-queue.ts';
import { createHandler } from './http/handler.ts';
import { errorFacts, type Logger } from './http/log.ts';
import { Metrics } from './http/metrics.ts';
import { tasksOf } from './jobs/tasks.ts';
import type { KmsProvider } from './kms/provider.ts';
import { type Region } from './resolvers/request-context.ts';
import { openRegion } from './open-region.ts';
import { provisionDevelopment } from './provision-development.ts';

/** The service, built and ready to listen. */
export interface App {
  readonly server: Server;
  /** The default region first. */
  readonly regions: readonly Region[];
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
  /** Providers beside `local`, in every region; every organisation may bind all of their keys. */
  readonly providers?: readonly KmsProvider[];
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
      const opened = await openRegion(config, region, embedded, log, options.providers);
      closing.push(() => opened.close());
      regions.push(opened.region);
      const queue = await openJobQueue(opened.connectionString, tasksOf(opened.region, now), (error, task) =>
        log.error({ task, ...errorFacts(error) }, 'background work failed'),
      );
      closing.push(() => queue.close());
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
    return { server, regions, developmentIssuer, notes: embedded?.notes ?? [], close: closeAll };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

const DRAIN_MS = 20_000;

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
