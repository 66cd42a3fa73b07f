import cluster from 'node:cluster';
import { join } from 'node:path';
import type { Logger } from '../http/log.ts';
import type { Service } from './announce.ts';
import { Supervisor } from './cluster/supervisor.ts';
import type { Config } from './config/config.ts';
import type { Environment } from './config/environment.ts';
import type { PreparedRegion } from './open-region.ts';
import type { Prepared } from './prepare.ts';
import { StartError } from './start-error.ts';

/** What STRONGROOM_REGIONS says in their place. */
const SETTLED = ['DATABASE_URL', 'STRONGROOM_ROOT_KEY', 'STRONGROOM_ROOT_KEY_FILE'];

/** Starts `config.workers` gateways, each a process; all listen when this resolves, on one port. */
export async function start(config: Config, log: Logger): Promise<Service> {
  if (!cluster.isPrimary)
    throw new StartError(
      'STRONGROOM_WORKERS must be 1 where another program makes this process one of a cluster.',
    );
  const environment = { ...process.env };
  // A worker begins with a copy of this process's environment, which others may look at: no secret is to be in it.
  for (const name of [...SETTLED, 'STRONGROOM_REGIONS']) Reflect.deleteProperty(process.env, name);
  // They load while this process loads what it needs, and prepares.
  const supervisor = new Supervisor(join(import.meta.dirname, 'worker.ts'), config.workers, log);
  let prepared: Prepared | null = null;
  const close = async () => {
    try {
      await supervisor.close();
    } finally {
      await prepared?.close();
    }
  };
  try {
    const { prepare } = await import('./prepare.ts');
    prepared = await prepare(config, log);
    const port = await supervisor.serve(handedOver(environment, prepared.regions), config.port);
    const { developmentIssuer, notes } = prepared;
    return { port, developmentIssuer, notes, close };
  } catch (error) {
    await close().catch(() => undefined);
    throw error;
  }
}

/**
 * The environment as a worker reads it: with the databases and root keys that were settled here, so that one that is
 * started anew has the same as the others, whatever was written to a file of root keys since.
 */
function handedOver(environment: Environment, regions: readonly PreparedRegion[]): Record<string, string> {
  const settled = regions.map(({ name, databaseUrl, rootKeys }) => ({
    ...{ name, databaseUrl },
    rootKey: rootKeys.map(({ id, key }) => `${id}:${key.revealBase64()}`).join(),
  }));
  const set = Object.entries(environment).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && !SETTLED.includes(entry[0]),
  );
  return { ...Object.fromEntries(set), STRONGROOM_REGIONS: JSON.stringify(settled) };
}
