import type { Logger } from '../http/log.ts';
import type { Service } from './announce.ts';
import { type AppOptions, createApp } from './app.ts';
import type { Config } from './config/config.ts';

/** Starts a gateway in this process; it listens when this resolves. */
export async function start(config: Config, log: Logger, options: AppOptions = {}): Promise<Service> {
  const app = await createApp(config, log, options);
  try {
    await new Promise<void>((resolve, reject) => {
      app.server.once('error', reject).listen(config.port, config.host, resolve);
    });
  } catch (error) {
    await app.close();
    throw error;
  }
  const address = app.server.address();
  const port = typeof address === 'object' && address ? address.port : config.port;
  const { developmentIssuer, notes } = app;
  return { port, developmentIssuer, notes, close: () => app.close() };
}
