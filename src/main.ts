import { parseArgs } from 'node:util';
import { createLog, errorFacts } from './http/log.ts';
import { announce } from './server/announce.ts';
import { type Config, readConfig } from './server/config/config.ts';
import { explainFailure } from './server/explain-failure.ts';
import { StartError } from './server/start-error.ts';

const USAGE = `npm start [-- --check]

Starts the service as the environment configures it: see README.md.

  --check  look at the configuration, databases, rights, root keys and issuers, and start nothing; ends with 0 if all is well
`;

/** The one option; anything else ends the start before it has begun. */
function readArguments(): { readonly check?: boolean; readonly help?: boolean } {
  try {
    const options = { check: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } as const;
    return parseArgs({ options }).values;
  } catch {
    throw new StartError('npm start knows --check and --help, and nothing else.');
  }
}

async function main(): Promise<void> {
  const given = readArguments();
  if (given.help) {
    process.stdout.write(USAGE);
    return;
  }
  const config = readConfig(process.env);
  if (given.check) return checkAll(config);
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

async function checkAll(config: Config): Promise<void> {
  const { check } = await import('./server/check.ts');
  const findings = await check(config);
  for (const { what, problem, note } of findings) {
    const rest = [problem ?? 'ok', ...(note === undefined ? [] : [`(${note})`])].join(' ');
    process.stdout.write(`${what}: ${rest}\n`);
  }
  exit(findings.every(({ problem }) => problem === null) ? 0 : 1);
}

main().catch((error: unknown) => {
  process.stderr.write(`${explainFailure(error)}\n`);
  exit(1);
});

/** All is closed and the log is written synchronously; what is left is a timer of the migration engine's. */
function exit(code: number): void {
  process.exit(code);
}
