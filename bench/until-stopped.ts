import { UsageError } from './usage.ts';

interface Closable {
  close(): Promise<void>;
}

interface Stopping {
  /** Runs `work` and closes `resource` after it, also when the run is stopped meanwhile. */
  closing(resource: Closable, work: () => Promise<void>): Promise<void>;
}

/** Runs a program of its own: Ctrl-C and SIGTERM close what it opened, and what it throws is told. Sets the exit code. */
export async function untilStopped(program: (stopping: Stopping) => Promise<void>): Promise<void> {
  const signalled = new Promise<never>((_, reject) => {
    const stop = () => reject(new UsageError('stopped'));
    process.once('SIGINT', stop).once('SIGTERM', stop);
  });
  signalled.catch(() => undefined);
  const closing = async (resource: Closable, work: () => Promise<void>) => {
    const working = work();
    working.catch(() => undefined);
    try {
      await Promise.race([working, signalled]);
    } finally {
      await resource.close();
    }
  };
  try {
    await program({ closing });
  } catch (error) {
    process.exitCode = 1;
    const isUsage =
      error instanceof UsageError || (error as NodeJS.ErrnoException).code?.startsWith('ERR_PARSE');
    const told = error instanceof Error ? (isUsage ? error.message : error.stack) : 'failed';
    process.stderr.write(`bench: ${told ?? ''}\n`);
  } finally {
    // The migration engine leaves a timer behind.
    setImmediate(() => process.exit());
  }
}
