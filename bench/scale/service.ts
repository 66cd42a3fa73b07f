import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const ROOT = join(import.meta.dirname, '../..');
const START_MS = 60_000;

/** The service as operators run it, in a process of its own. */
export interface Service {
  /** Where it answers GraphQL. */
  readonly url: string;
  /** Lets it finish what is in flight, and waits for its end. */
  stop(): Promise<void>;
}

/** Starts the service, which migrates its database. Throws what it complained of when it does not come up. */
export async function startService(environment: Readonly<Record<string, string>>): Promise<Service> {
  const child = spawn(process.execPath, [join(ROOT, 'scripts/start.js')], {
    cwd: ROOT,
    env: {
      ...{ PATH: process.env['PATH'] ?? '', NODE_ENV: 'production', PORT: '0' },
      ...{ STRONGROOM_LOG_LEVEL: 'error', ...environment },
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = once(child, 'exit');
  let complaints = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaints += text));
  const url = await new Promise<string>((resolve, reject) => {
    const fail = (why: string) => reject(new Error(`The service did not start: ${why}`));
    const patience = setTimeout(() => {
      child.kill();
      fail('it took too long.');
    }, START_MS);
    const lines = createInterface(child.stdout);
    lines.on('line', (line) => {
      const [, found] = /listens at (\S+)/.exec(line) ?? [];
      if (found === undefined) return;
      clearTimeout(patience);
      resolve(found);
    });
    child.once('exit', () => {
      clearTimeout(patience);
      fail(complaints.trim() || 'it said nothing.');
    });
  });
  return {
    url,
    stop: async () => {
      child.kill('SIGTERM');
      await ended;
    },
  };
}
