/** The session that a process holds on the embedded Postgres for as long as it uses it, and the file that leads to it. */
import { randomUUID } from 'node:crypto';
import { link, readFile, readlink, rename, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, DatabaseError } from 'pg';
import { EmbeddedPostgresError, run } from './place.ts';

export const SUPERUSER = 'strongroom';
export const PORT = 5432; // the name of the socket contains it; nothing listens on TCP

/** The server lives but cannot be used now: it starts, stops, or is full. */
export class ServerBusyError extends Error {
  override readonly name = 'ServerBusyError';
}

interface PostmasterFile {
  readonly text: string;
  readonly pid: number | undefined;
  readonly socketDirectory: string | undefined;
}

/** https://www.postgresql.org/docs/18/storage-file-layout.html: pid, data directory, start, port, socket directory, ... */
async function readPostmasterFile(cluster: string): Promise<PostmasterFile | undefined> {
  const text = await readFile(join(cluster, 'postmaster.pid'), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const [pid, , , , socketDirectory] = text.split('\n');
  return { text, pid: Number(pid) || undefined, socketDirectory: socketDirectory || undefined };
}

/** Whether `pid` is the postmaster of this cluster, and not a stranger that got the number of a dead one. */
async function isPostmaster(pid: number, cluster: string): Promise<boolean> {
  if (process.platform === 'linux') return (await readlink(`/proc/${pid}/cwd`).catch(() => '')) === cluster;
  return (await run('ps', ['-ww', '-o', 'command=', '-p', String(pid)]).catch(() => '')).includes(cluster);
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function discard(cluster: string, stale: PostmasterFile, socketDirectory: string): Promise<void> {
  // Until the first file is gone no server can start: so the lock of the socket, with the same pid, goes before it.
  await unlink(join(socketDirectory, `.s.PGSQL.${PORT}.lock`)).catch(() => undefined);
  const file = join(cluster, 'postmaster.pid');
  const aside = `${file}.${randomUUID()}`;
  await rename(file, aside);
  // A process that was faster has started a server since: that file is not ours to remove.
  if ((await readFile(aside, 'utf8')) !== stale.text) await link(aside, file);
  await unlink(aside);
}

/**
 * Whether a server holds the cluster, whose socket would be in `socketDirectory`. Removes a postmaster.pid that would
 * keep Postgres from starting for ever: one that is empty, or names a process that lives but is no server of this
 * cluster. One that names a dead process Postgres replaces by itself.
 */
export async function isHeld(cluster: string, socketDirectory: string): Promise<boolean> {
  const file = await readPostmasterFile(cluster);
  if (!file) return false;
  if (file.pid === undefined) {
    const found = await stat(join(cluster, 'postmaster.pid')).catch(() => undefined);
    if (!found || Date.now() - found.mtimeMs < 5_000) return true; // made, and about to be filled
  } else {
    if (!isAlive(file.pid)) return false;
    if (await isPostmaster(file.pid, cluster)) return true;
  }
  await discard(cluster, file, socketDirectory).catch(() => undefined);
  return false;
}

/**
 * Stops a server as `pg_ctl stop -m fast` does: sessions that are still open are cut off. Returns when it is gone, whereas
 * pg_ctl would go on waiting for the next one, which a process that opens the cluster meanwhile starts at once.
 */
export async function stopServer(pid: number, cluster: string, patienceSeconds: number): Promise<void> {
  const deadline = Date.now() + patienceSeconds * 1_000;
  if (await isPostmaster(pid, cluster)) process.kill(pid, 'SIGINT');
  while (await isPostmaster(pid, cluster)) {
    if (Date.now() > deadline) throw new EmbeddedPostgresError(`The Postgres of ${cluster} did not stop.`);
    await sleep(20);
  }
}

// In the maintenance database, so that the application's can be dropped or cloned while the session lasts.
const LOCK = '1937011303, 1'; // 'strg'
const ATTACH = `
  SELECT current_setting('data_directory') = $1 AS "ours", pg_try_advisory_lock_shared(${LOCK}) AS "attached",
    pg_postmaster_start_time() < $2 AND NOT EXISTS (
      SELECT FROM pg_locks WHERE locktype = 'advisory' AND classid = 1937011303 AND pid <> pg_backend_pid()
    ) AS "orphan"`;

interface Connection {
  readonly pid: number;
  readonly client: Client;
  readonly socketDirectory: string;
  readonly orphan: boolean;
}

async function connect(cluster: string, password: string, began: Date): Promise<Connection> {
  const { pid, socketDirectory: host } = (await readPostmasterFile(cluster)) ?? {};
  if (pid === undefined || host === undefined) throw new Error('it does not run');
  const client = new Client({
    ...{ host, port: PORT, user: SUPERUSER, password, database: 'postgres', ssl: false },
    ...{ application_name: 'strongroom supervisor', connectionTimeoutMillis: 5_000, query_timeout: 5_000 },
  });
  client.on('error', () => undefined); // 'end' follows, and counts
  try {
    await client.connect();
    const { rows } = await client.query<Record<'ours' | 'attached' | 'orphan', boolean>>(ATTACH, [
      cluster,
      began,
    ]);
    if (!rows[0]?.ours) throw new Error('its postmaster.pid leads to the server of another directory');
    if (!rows[0].attached) throw new ServerBusyError('it is about to stop');
    return { client, pid, socketDirectory: host, orphan: rows[0].orphan };
  } catch (error) {
    void client.end();
    if (!(error instanceof DatabaseError)) throw error;
    if (!error.code?.startsWith('28')) throw new ServerBusyError(error.message, { cause: error });
    if (!(await isPostmaster(pid, cluster))) throw error; // the file is a copy, or stale, and the server a stranger
    const message = `The running Postgres of ${cluster} refuses the password in the file beside it.`;
    throw new EmbeddedPostgresError(message, { cause: error });
  }
}

/**
 * A shared advisory lock on the server: its holders are the processes that use it. A session that breaks, because the
 * server restarted itself or died, is renewed as soon as there is a server again, and throws nothing at anybody.
 */
export class ServerSession {
  /** Nobody was attached to the server, which was there before. */
  readonly orphan: boolean;
  readonly socketDirectory: string;
  readonly #connect: () => Promise<Connection>;
  readonly #leave = new AbortController();
  readonly #leaving = this.#leave.signal;
  #held: Connection | undefined;
  #renewal: Promise<void> | undefined;

  private constructor(first: Connection, again: () => Promise<Connection>) {
    this.socketDirectory = first.socketDirectory;
    this.orphan = first.orphan;
    this.#connect = again;
    this.#hold(first);
  }

  /** Throws a `ServerBusyError` when waiting will help, an `EmbeddedPostgresError` when nothing will. */
  static async open(cluster: string, password: string, began: Date): Promise<ServerSession> {
    const again = () => connect(cluster, password, began);
    return new ServerSession(await again(), again);
  }

  #hold(connection: Connection): void {
    this.#held = connection;
    connection.client.once('end', () => {
      this.#held = undefined;
      this.#renewal = this.#renew();
    });
  }

  async #renew(): Promise<void> {
    while (!this.#held && !this.#leaving.aborted) {
      await sleep(1_000, undefined, { ref: false, signal: this.#leaving }).catch(() => undefined);
      await this.#connect().then(
        (connection) => this.#hold(connection),
        () => undefined,
      );
    }
  }

  /**
   * Gives the lock up. Returns the server's pid when nobody else holds it: then nobody can attach until `end`, and the
   * caller stops the server.
   */
  async leave(): Promise<number | undefined> {
    this.#leave.abort();
    await this.#renewal; // tries once more, at once
    const { client, pid } = this.#held ?? {};
    try {
      // First unlocked, then tried: of several that leave at once, the last finds nobody.
      await client?.query(`SELECT pg_advisory_unlock_shared(${LOCK})`);
      const answer = await client?.query<{ last: boolean }>(`SELECT pg_try_advisory_lock(${LOCK}) AS "last"`);
      return answer?.rows[0]?.last ? pid : undefined;
    } catch {
      return undefined; // it died just now: there is nothing to stop
    }
  }

  async end(): Promise<void> {
    await this.#held?.client.end();
  }
}
