/** One gateway of several: it is told by the process that started it when to serve, configured how, and when to stop. */
import { PrimaryChannel } from './cluster/primary-channel.ts';
import { readConfig } from './config/config.ts';
import { explainFailure } from './explain-failure.ts';
import { start } from './gateway.ts';
import { createLog, errorFacts } from '../http/log.ts';
import { Metrics } from '../http/metrics.ts';

// Ctrl-C in a terminal and a service manager's stop reach every process: the primary decides when this one ends.
process.on('SIGINT', () => undefined).on('SIGTERM', () => undefined);

const primary = new PrimaryChannel();
const metrics = new Metrics(() => primary.totalMetrics());
let stop = (): void => process.exit(0);

primary.listen({
  serve: ({ environment }) => {
    serve(environment).catch(async (error: unknown) => {
      await primary.send({ type: 'failed', reason: explainFailure(error) });
      process.exit(1);
    });
  },
  stop: () => stop(),
  'metrics-wanted': ({ gathering }) => {
    void metrics.values().then((values) => primary.send({ type: 'metrics', gathering, values }));
  },
});

async function serve(environment: Readonly<Record<string, string>>): Promise<void> {
  const config = readConfig(environment);
  const log = createLog(config.logLevel).child({ pid: process.pid });
  const starting = start(config, log, { isPrepared: true, metrics });
  stop = () => {
    const close = async () => (await starting.catch(() => null))?.close();
    close().then(
      () => process.exit(0),
      (error: unknown) => {
        log.error(errorFacts(error), 'not stopped cleanly');
        process.exit(1);
      },
    );
  };
  await starting;
}
