import { Logger, makeWorkerUtils, parseCronItems, run } from 'graphile-worker';
import pg from 'pg';

/** A piece of background work: run every minute and at start, by one gateway of the region at a time. */
export interface Task {
  readonly name: string;
  readonly run: () => Promise<void>;
}

export interface JobQueue {
  /** Has a task run now, by whichever gateway is free. */
  request(name: string): Promise<void>;
  /** Lets the task that runs finish. */
  close(): Promise<void>;
}

/** What the queue stores of a failure: nothing of the error itself, which is for the log. */
class TaskFailed extends Error {
  override readonly name = 'TaskFailed';
}

const EVERY_MINUTE = '* * * * *';
/** One listens for work, one works, one keeps the time. */
export const MAX_CONNECTIONS = 4;
const MAX_ATTEMPTS = 5;

/** Makes or updates the queue's own schema, as the database's owner. */
export async function migrateJobQueue(connectionString: string): Promise<void> {
  const utils = await makeWorkerUtils({ connectionString, logger: silent(() => undefined) });
  try {
    await utils.migrate();
  } finally {
    await utils.release();
  }
}

/**
 * Takes part in the region's background work, which graphile-worker deals out over the gateways: a task that is due has
 * one job, whoever runs it. A task must do all that is due, so that time during which nothing ran is caught up.
 */
export async function openJobQueue(
  connectionString: string,
  tasks: readonly Task[],
  onError: (error: unknown, task: string | null) => void,
): Promise<JobQueue> {
  const pool = new pg.Pool({ connectionString, max: MAX_CONNECTIONS, application_name: 'strongroom jobs' });
  const lost = (error: Error) => onError(error, null);
  pool.on('error', lost).on('connect', (client) => client.on('error', lost));
  const taskList = Object.fromEntries(
    tasks.map((task) => [
      task.name,
      async () => {
        try {
          await task.run();
        } catch (error) {
          onError(error, task.name);
          throw new TaskFailed('See the log.', { cause: undefined });
        }
      },
    ]),
  );
  const oneAtATime = (name: string) => ({ jobKey: name, queueName: name, maxAttempts: MAX_ATTEMPTS });
  const runner = await run({
    pgPool: pool,
    taskList,
    parsedCronItems: parseCronItems(
      tasks.map(({ name }) => ({ task: name, match: EVERY_MINUTE, options: oneAtATime(name) })),
    ),
    concurrency: 1,
    noHandleSignals: true,
    logger: silent((message) => onError(new Error(message), null)),
  });
  runner.promise.catch((error: unknown) => onError(error, null));
  const request = async (name: string) => {
    await runner.addJob(name, {}, oneAtATime(name));
  };
  for (const { name } of tasks) await request(name);
  return {
    request,
    close: async () => {
      await runner.stop();
      await pool.end();
    },
  };
}

/** Its log is of no use to an operator but where it complains about the database. */
function silent(onError: (message: string) => void): Logger {
  return new Logger(() => (level, message) => {
    if (level === 'error' && !message.includes('Failed task')) onError(message);
  });
}
