import { createApp } from './app.ts';
import { ConfigError, readConfig } from './config.ts';
import { EmbeddedPostgresError } from './db/embedded-postgres-place.ts';
import { createLog, errorFacts } from './http/log.ts';
import { StartError } from './open-region.ts';
import { DEVELOPMENT_ORGANISATION } from './provision-development.ts';

const TOKEN_TTL_SECONDS = 12 * 60 * 60;

async function main(): Promise<void> {
  const config = readConfig(process.env);
  const log = createLog(config.logLevel);
  const app = await createApp(config, log);
  await new Promise<void>((resolve, reject) => {
    app.server.once('error', reject).listen(config.port, config.host, resolve);
  }).catch(async (error: unknown) => {
    await app.close();
    throw error;
  });
  const stop = (signal: NodeJS.Signals) => {
    log.info({ signal }, 'stopping');
    app.close().then(
      () => {
        log.info('stopped');
        exit(0);
      },
      (error: unknown) => {
        log.error(errorFacts(error), 'not stopped cleanly');
        exit(1);
      },
    );
  };
  process.once('SIGTERM', stop).once('SIGINT', stop);
  const address = app.server.address();
  const port = typeof address === 'object' && address ? address.port : config.port;
  const host = config.host.includes(':') ? `[${config.host}]` : config.host;
  const url = `http://${host}:${port}/graphql`;
  const lines = [...app.notes, `Strongroom listens at ${url}`];
  if (app.developmentIssuer) {
    const token = await app.developmentIssuer.mint({
      ...{ organisation: DEVELOPMENT_ORGANISATION, roles: ['strongroom:admin'], subject: 'developer' },
      ttlSeconds: TOKEN_TTL_SECONDS,
    });
    lines.push(`Token for ${DEVELOPMENT_ORGANISATION}, 12 hours: ${token}`);
    if (config.graphiql) lines.push(`GraphiQL: ${url}#token=${token}`);
  }
  process.stdout.write(`${lines.join('\n')}\n`);
}

main().catch((error: unknown) => {
  process.stderr.write(`${explain(error)}\n`);
  exit(1);
});

/** All is closed and the log is written synchronously; what is left is a timer of the migration engine's. */
function exit(code: number): void {
  process.exit(code);
}

/** What an operator can act on; of anything else, what is safe to print. */
function explain(error: unknown): string {
  if (error instanceof ConfigError || error instanceof StartError || error instanceof EmbeddedPostgresError) {
    return error.message;
  }
  const code = (error as NodeJS.ErrnoException | null)?.code;
  if (code === 'EADDRINUSE') return 'Another process listens at this address already: set PORT, or stop it.';
  if (code === 'EACCES')
    return 'The address or a file is not allowed to this user: see HOST, PORT and STRONGROOM_DATA_DIR.';
  return `Strongroom could not start: ${JSON.stringify(errorFacts(error))}`;
}
