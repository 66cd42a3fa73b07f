import { createLog, errorFacts } from './http/log.ts';
import { announce } from './server/announce.ts';
import { readConfig } from './server/config/config.ts';
import { explainFailure } from './server/explain-failure.ts';

async function main(): Promise<void> {
  const config = readConfig(process.env);
  const log = createLog(config.logLevel);
  // Loaded as needed: a process that only starts others has no use for the schema and all that is behind it.
  const { start } =
    config.workers === 1 ? await import('./server/gateway.ts') : await import('./server/primary.ts');
  const service = await start(config, log);
  const stop = (signal: NodeJS.Signals) => {
    log.info({ signal }, 'stopping');
    service.close().then(
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
  process.stdout.write(await announce(config, service));
}

main().catch((error: unknown) => {
  process.stderr.write(`${explainFailure(error)}\n`);
  exit(1);
});

/** All is closed and the log is written synchronously; what is left is a timer of the migration engine's. */
function exit(code: number): void {
  process.exit(code);
}
