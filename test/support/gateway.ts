import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { type AppOptions, createApp } from '../../src/server/app.ts';
import { readConfig } from '../../src/server/config/config.ts';
import type { Environment } from '../../src/server/config/environment.ts';
import type { TestApp } from './test-app.ts';

/** One more gateway on the database, the keys and the issuer of a test app. */
export interface Gateway {
  readonly url: string;
  readonly logged: () => string;
  close(): Promise<void>;
}

export async function startGateway(
  { databaseUrl, dataDir }: TestApp,
  options: AppOptions = {},
  environment: Environment = {},
): Promise<Gateway> {
  const lines: string[] = [];
  const log = pino({ level: 'debug' }, { write: (line: string) => void lines.push(line) });
  const config = readConfig({
    DATABASE_URL: databaseUrl,
    STRONGROOM_DATA_DIR: dataDir,
    ...environment,
  });
  const app = await createApp(config, log, options);
  app.server.listen(0, '127.0.0.1');
  await once(app.server, 'listening');
  const url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
  return { url, close: () => app.close(), logged: () => lines.join('') };
}
