import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { eventually } from './eventually.ts';

const START = join(import.meta.dirname, '../../scripts/start.js');
const running = new Set<ChildProcess>();

/** The service as a user starts it, at the head of a process group of its own, as in a terminal. */
export interface Started {
  readonly pid: number;
  readonly output: () => string;
  /** The lines of the log so far. */
  readonly logged: () => readonly Readonly<Record<string, unknown>>[];
  /** Waits for the end; answers the exit code. */
  readonly exit: () => Promise<number | null>;
}

export function startService(environment: Readonly<Record<string, string>>): Started {
  const child = spawn(process.execPath, [START], {
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], PORT: '0', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  running.add(child);
  const chunks: string[] = [];
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (chunk: string) => chunks.push(chunk));
  const output = () => chunks.join('');
  return {
    pid: child.pid ?? 0,
    output,
    logged: () =>
      output()
        .split('\n')
        .filter((line) => line.startsWith('{') && line.endsWith('}'))
        .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>),
    exit: async () => {
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      running.delete(child);
      return child.exitCode;
    },
  };
}

/** Starts it and waits until it says that it listens. */
export async function listeningService(
  environment: Readonly<Record<string, string>>,
): Promise<Started & { readonly origin: string }> {
  const started = startService(environment);
  const ended = started.exit().then(() => 'ended');
  const origin = await eventually(async () => {
    const early = await Promise.race([ended, Promise.resolve(null)]);
    if (early) throw new Error(started.output());
    return /^Strongroom listens at (\S+)\/graphql$/m.exec(started.output())?.[1];
  }, 30_000);
  return { ...started, origin };
}

/** Whether any process of the group of a service is left. */
export function isGroupAlive({ pid }: Started): boolean {
  try {
    return process.kill(-pid, 0);
  } catch {
    return false;
  }
}

/** Ends what a test left running. */
export function killServices(): void {
  for (const { pid } of running) if (pid !== undefined) process.kill(-pid, 'SIGKILL');
}
