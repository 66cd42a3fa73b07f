/** The processes that a run starts: all of the same Node, and none outlives it. */
import { fork, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A process that listens on a port of 127.0.0.1. */
export interface Listener {
  readonly port: number;
  readonly pid: number;
  stop(): Promise<void>;
}

const PATIENCE_MS = 30_000;

/** The environment without what configures Strongroom or Node. */
export function cleanEnvironment(): NodeJS.ProcessEnv {
  const isOurs = (name: string) => /^(STRONGROOM_|NODE_OPTIONS$|DATABASE_URL$|HOST$|PORT$)/.test(name);
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !isOurs(name)));
}

/** Ends a process as its operator would; one that does not end within 30 seconds is killed. */
export async function stopProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const patience = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS);
  await ended.finally(() => clearTimeout(patience));
}

function startModule(module: string): ChildProcess {
  return fork(join(import.meta.dirname, module), {
    execArgv: [],
    env: { ...cleanEnvironment(), NODE_ENV: 'production' },
    serialization: 'advanced',
  });
}

async function nextMessage(child: ChildProcess, module: string): Promise<unknown> {
  const ending = new AbortController();
  const ended = once(child, 'exit', { signal: ending.signal }).then(() => {
    throw new Error(`${module} ended before it answered.`);
  });
  try {
    const [message] = (await Promise.race([once(child, 'message', ending), ended])) as [unknown];
    return message;
  } finally {
    ended.catch(() => undefined);
    ending.abort();
  }
}

/** Runs a module under bench/ that is told by one message and answers by one. Throws when it ends without. */
export async function askModule(module: string, message: object, stopping: AbortSignal): Promise<unknown> {
  const child = startModule(module);
  const stop = () => child.kill();
  stopping.addEventListener('abort', stop);
  try {
    child.send(message);
    return await nextMessage(child, module);
  } finally {
    stopping.removeEventListener('abort', stop);
    await stopProcess(child);
  }
}

/** Starts a module under bench/ that is told by one message, listens, and answers `{ port }`. */
export async function startListener(module: string, message: object): Promise<Listener> {
  const child = startModule(module);
  try {
    child.send(message);
    const { port } = (await nextMessage(child, module)) as { port: number };
    return { port, pid: child.pid ?? 0, stop: () => stopProcess(child) };
  } catch (error) {
    await stopProcess(child);
    throw error;
  }
}

const ROOT = join(import.meta.dirname, '..');

/** What `npm start` gives Node. */
function startArguments(): string[] {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    readonly scripts: { readonly start: string };
  };
  const [node, ...rest] = scripts.start.split(' ');
  if (node !== 'node') throw new Error('npm start runs something else than Node.');
  return rest.map((argument) => (argument.startsWith('-') ? argument : join(ROOT, argument)));
}

/** Starts `npm start`'s own program and waits for the line that says where it listens. Its log goes to `logFile`. */
export async function startService(
  environment: Readonly<Record<string, string>>,
  options: { readonly logFileDescriptor: number; readonly nodeOptions?: readonly string[] },
): Promise<Listener> {
  const child = spawn(process.execPath, [...(options.nodeOptions ?? []), ...startArguments()], {
    env: { ...cleanEnvironment(), ...environment },
    stdio: ['ignore', 'pipe', options.logFileDescriptor],
  });
  const stop = () => stopProcess(child);
  let said = '';
  try {
    const port = await new Promise<number>((resolve, reject) => {
      child.once('exit', () =>
        reject(new Error('The service did not start: --log <file> keeps what it says.')),
      );
      child.stdout?.on('data', (chunk: Buffer) => {
        said += chunk.toString();
        const found = /listens at http:\/\/[^/]+:(\d+)\//.exec(said)?.[1];
        if (found !== undefined) resolve(Number(found));
      });
    });
    return { port, pid: child.pid ?? 0, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
