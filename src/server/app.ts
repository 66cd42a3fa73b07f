import { createServer, type Server } from 'node:http';
import { requireRecording } from '../audit/probe.ts';
import { createAuthenticator } from '../auth/authenticate.ts';
import { type DevelopmentIssuer, openDevelopmentIssuer } from '../auth/development-issuer.ts';
import { openEmbeddedPostgres } from '../db/embedded/embedded-postgres.ts';
import { openJobQueue } from '../db/job-queue.ts';
import { graphiqlRoute } from '../http/graphiql/graphiql-route.ts';
import { STREAM_TIMING, type StreamTiming } from '../http/graphql/event-stream.ts';
import { graphqlRoutes } from '../http/graphql/graphql-routes.ts';
import { createListener } from '../http/listener.ts';
import { errorFacts, type Logger } from '../http/log.ts';
import { Metrics } from '../http/metrics.ts';
import { serviceRoutes } from '../http/service-routes.ts';
import { watchUnusedConnections } from '../http/watch-unused-connections.ts';
import { tasksOf } from '../jobs/tasks.ts';
import type { Region } from '../resolvers/context/request-context.ts';
import { type FollowerLimits, Followers } from '../resolvers/events/followers.ts';
import type { Config } from './config/config.ts';
import { type ExternalKms, openExternalKms } from './external-kms.ts';
import { openPreparedRegion, openRegion } from './open-region.ts';
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
  /** Instead of what is configured. */
  readonly external?: ExternalKms;
  readonly followerLimits?: FollowerLimits;
  readonly streamTiming?: StreamTiming;
  /** Where it is one of several processes. */
  readonly metrics?: Metrics;
  /** The regions were migrated, checked and provisioned by the process that started this one. */
  readonly isPrepared?: boolean;
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
    const external = options.external ?? (await openExternalKms(config, log));
    for (const provider of external.providers) closing.push(() => provider.close());
    const regions: Region[] = [];
    for (const region of config.regions) {
      const opened = options.isPrepared
        ? await openPreparedRegion(region, log, external)
        : await openRegion(config, region, embedded, log, external);
      closing.push(() => opened.close());
      regions.push(opened.region);
      const queue = await openJobQueue(
        opened.connectionString,
        tasksOf(opened.region, now, config.auditRetentionDays),
        (error, task) => log.error({ task, ...errorFacts(error) }, 'background work failed'),
      );
      closing.push(() => queue.close());
    }
    if (developmentIssuer && !options.isPrepared) await provisionDevelopment(regions, now);
    const issuers = config.issuers ?? (developmentIssuer ? [developmentIssuer.config] : []);
    const followers = new Followers(options.followerLimits);
    const metrics = options.metrics ?? new Metrics();
    const server: Server = createServer(
      { headersTimeout: 10_000, requestTimeout: 30_000, maxHeaderSize: 16_384, keepAliveTimeout: 30_000 },
      createListener({
        routes: [
          ...(config.graphiql ? [graphiqlRoute] : []),
          ...graphqlRoutes({
            ...{ regions, now, log, metrics, followers },
            authenticate: createAuthenticator(issuers),
            trustedProxies: config.trustedProxies,
            streamTiming: options.streamTiming ?? STREAM_TIMING,
          }),
          ...serviceRoutes(readiness(regions, now, log), metrics),
        ],
        corsOrigins: config.corsOrigins,
        loopbackOnly: !config.production && developmentIssuer !== null,
        ...{ log, metrics },
        isStopping: () => !server.listening,
      }),
    );
    const closeUnused = watchUnusedConnections(server);
    closing.push(() => {
      followers.close();
      return drain(server, closeUnused);
    });
    return { server, regions, developmentIssuer, notes: embedded?.notes ?? [], close: closeAll };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

const DRAIN_MS = 20_000;
const READY_MS = 1_000;

/** Looked at once a second at most, however often it is asked: each look writes. */
function readiness(regions: readonly Region[], now: () => Date, log: Logger): () => Promise<boolean> {
  let latest: { readonly at: number; readonly answer: Promise<boolean> } | null = null;
  const look = async () => {
    try {
      await Promise.all(regions.map(({ db }) => requireRecording(db, now())));
      return true;
    } catch (error) {
      log.error(errorFacts(error), 'not ready');
      return false;
    }
  };
  return () => {
    if (!latest || performance.now() - latest.at > READY_MS)
      latest = { at: performance.now(), answer: look() };
    return latest.answer;
  };
}

function drain(server: Server, closeUnused: () => void): Promise<void> {
  return new Promise((resolve) => {
    if (!server.listening) return resolve();
    // Once it is closed, Node no longer ends requests that do not come to their end: a client could hold it open.
    const patience = setTimeout(() => server.closeAllConnections(), DRAIN_MS).unref();
    server.close(() => {
      clearTimeout(patience);
      resolve();
    });
    server.closeIdleConnections();
    closeUnused();
  });
}
