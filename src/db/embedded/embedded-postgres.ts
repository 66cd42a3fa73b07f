/** A Postgres of Strongroom's own, for whoever has configured none: one server a data directory, shared by all who open it. */
import { spawn } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { chown, lchown, lstat, mkdir, open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EmbeddedPostgresError, findPlace, makeWhole, run, spawnAs } from './place.ts';
import type { Place, ServerUser } from './place.ts';
import { PORT, SUPERUSER, ServerBusyError, ServerSession, isHeld, stopServer } from './session.ts';
import { findPostgresBinaries, nativeDirectory } from './postgres-binaries.ts';
import type { PostgresBinaries } from './postgres-binaries.ts';

type Settings = Readonly<Record<string, string>>;

export interface EmbeddedPostgres {
  /** As superuser, over a Unix socket; with the password. */
  readonly connectionString: string;
  /** Sentences for the person who started it. */
  readonly notes: readonly string[];
  /** Stops the server, unless another process is attached to it. Later calls do nothing. */
  close(): Promise<void>;
}

const DATABASE = 'strongroom';
const INITDB_OPTIONS = [
  ...['--auth=scram-sha-256', '--data-checksums', '--no-instructions'],
  ...['--encoding=UTF8', '--locale=C'],
];
const PATIENCE_SECONDS = 60;
/** A socket's path has 104 bytes on macOS (108 on Linux), of which `/.s.PGSQL.5432` and a NUL take 15. */
const MAX_SOCKET_DIRECTORY_BYTES = 88;

/** No statement, parameter or quoted input can get into the log: errors of clients are left out altogether. */
const OWN_SETTINGS: Settings = {
  listen_addresses: '',
  port: String(PORT),
  unix_socket_permissions: '0700',
  cluster_name: 'strongroom',
  log_min_messages: 'log', // "invalid input syntax for type integer: ..." is an ERROR, which is below LOG
  log_error_verbosity: 'terse',
  log_min_error_statement: 'panic',
  log_parameter_max_length: '0',
  log_parameter_max_length_on_error: '0',
  log_statement: 'none',
  log_min_duration_statement: '-1',
  log_min_duration_sample: '-1',
  log_transaction_sample_rate: '0',
  logging_collector: 'off',
  log_checkpoints: 'off',
};

interface Server {
  readonly place: Place;
  readonly binaries: PostgresBinaries;
  readonly cluster: string;
  readonly log: string;
}

const settingArguments = (settings: Settings) =>
  Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);

async function initialise(draft: string, binaries: PostgresBinaries, user: ServerUser, settings: Settings) {
  const cluster = join(draft, 'cluster');
  const passwordFile = join(draft, 'password');
  await writeFile(passwordFile, randomBytes(32).toString('base64url'), { mode: 0o600, flush: true });
  await mkdir(join(draft, 'socket'), { mode: 0o700 });
  // The draft itself comes last: until then nobody but root can put anything in the way.
  for (const path of user ? [passwordFile, join(draft, 'socket'), draft] : []) {
    await chown(path, user?.uid ?? -1, user?.gid ?? -1);
  }
  const sync = settings['fsync'] === 'off' ? ['--no-sync'] : [];
  const identity = ['-D', cluster, '-U', SUPERUSER, `--pwfile=${passwordFile}`];
  await run(binaries.initdb, [...identity, ...INITDB_OPTIONS, ...sync], user);
  const single = ['--single', '-D', cluster, ...settingArguments({ ...settings, exit_on_error: 'on' })];
  await run(binaries.postgres, [...single, 'postgres'], user, `CREATE DATABASE ${DATABASE}\n`);
}

async function ensureCluster({ place, binaries, cluster }: Server, settings: Settings): Promise<void> {
  const version = () => readFile(join(cluster, 'PG_VERSION'), 'utf8').catch(() => undefined);
  if ((await version()) === undefined) {
    await makeWhole(place.directory, (draft) => initialise(draft, binaries, place.user, settings));
  }
  const found = (await version())?.trim();
  if (found === binaries.majorVersion) return;
  throw new EmbeddedPostgresError(
    found === undefined
      ? `${place.directory} holds no database, and is not empty. Restore or remove it.`
      : `The database in ${cluster} was made by Postgres ${found}, and this is Postgres ${binaries.majorVersion}. ` +
          'Go back to the release of Strongroom that made it and take a dump with pg_dump, then start this one with another ' +
          `STRONGROOM_DATA_DIR and restore it; or serve it with a Postgres ${found} of your own and set DATABASE_URL.`,
  );
}

/** The one in the database's own directory, or where that path is too long one in /tmp that nobody else can guess. */
function socketDirectory({ place }: Server, password: string): string {
  const inside = join(place.directory, 'socket');
  if (Buffer.byteLength(inside) <= MAX_SOCKET_DIRECTORY_BYTES) return inside;
  return `/tmp/strongroom-${createHmac('sha256', password).update(inside).digest('hex').slice(0, 16)}`;
}

async function ensureSocketDirectory(path: string, user: ServerUser): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  const found = await lstat(path);
  const isForUs = [process.getuid?.(), user?.uid].includes(found.uid);
  if (!found.isDirectory() || !isForUs || (found.mode & 0o077) !== 0) {
    throw new EmbeddedPostgresError(
      `${path} is not a private directory of the user that Postgres runs as. Remove it.`,
    );
  }
  if (user && found.uid !== user.uid) await lchown(path, user.uid, user.gid);
}

interface Start {
  /** Undefined while it runs; then what it died of, or '' when it was stopped. */
  ending(): Promise<string | undefined>;
}

/** Starts Postgres in a session of its own, so that Ctrl-C in the terminal and the end of this process pass it by. */
async function start(server: Server, socket: string, settings: Settings): Promise<Start> {
  const { place, binaries, cluster, log } = server;
  await ensureSocketDirectory(socket, place.user);
  const directories = `"${socket.replaceAll('"', '""')}"`;
  const all = { ...settings, ...OWN_SETTINGS, unix_socket_directories: directories };
  const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW;
  const output = await open(log, flags, 0o600);
  const offset = (await output.stat()).size;
  const child = spawn(binaries.postgres, ['-D', cluster, ...settingArguments(all)], {
    ...spawnAs(place.user),
    detached: true,
    stdio: ['ignore', output.fd, output.fd],
  });
  let failure: Error | undefined;
  child.once('error', (error) => (failure = error));
  child.unref();
  await output.close();
  return {
    async ending() {
      if (failure) return failure.message;
      if (child.exitCode === null && child.signalCode === null) return undefined;
      if (child.signalCode) return `it was ended by ${child.signalCode}.`;
      if (child.exitCode === 0) return '';
      const lines = (await readFile(log)).subarray(offset).toString().trim().split('\n');
      const fatal = lines.filter((line) => /(FATAL|PANIC): /.test(line));
      const own = fatal.findLast((line) => line.includes(`[${child.pid ?? ''}]`)); // a second server may write there
      return (own ?? fatal.at(-1) ?? lines.at(-1))?.replace(/^.*(FATAL|PANIC): +/, '') || 'it said nothing.';
    },
  };
}

/** Another server was faster, or the processes of one that was killed are not all gone: neither lasts. */
const PASSES = /already exists|is empty|still in use/;

async function attach(
  server: Server,
  password: string,
  settings: Settings,
  began: Date,
): Promise<ServerSession> {
  const socket = socketDirectory(server, password);
  const deadline = Date.now() + PATIENCE_SECONDS * 1_000;
  let started: Start | undefined;
  for (;;) {
    let reason: unknown;
    try {
      return await ServerSession.open(server.cluster, password, began);
    } catch (error) {
      if (error instanceof EmbeddedPostgresError) throw error;
      reason = error;
    }
    const ending = await started?.ending();
    if (ending && !PASSES.test(ending)) {
      throw new EmbeddedPostgresError(`Postgres did not start: ${ending} Its log is ${server.log}.`);
    }
    if (ending !== undefined) started = undefined;
    if (Date.now() > deadline) {
      const why = ending ?? (reason instanceof Error ? reason.message : '');
      const message = `The Postgres of ${server.cluster} cannot be used, after ${PATIENCE_SECONDS} s of waiting`;
      throw new EmbeddedPostgresError(`${message} (${why}). Its log is ${server.log}.`, { cause: reason });
    }
    const isFree = !started && !ending && !(reason instanceof ServerBusyError);
    if (isFree && !(await isHeld(server.cluster, socket))) started = await start(server, socket, settings);
    await sleep(ending ? 500 : 50);
  }
}

/**
 * Opens the embedded Postgres of a data directory: makes it, starts it, recovers it or joins it, whatever it needs.
 * `settings` are for postgresql.conf and count for a server that this call starts. Waits for a server that starts or
 * stops, for a minute; throws an `EmbeddedPostgresError` when it cannot be used.
 */
export async function openEmbeddedPostgres(options: {
  readonly dataDir: string;
  readonly settings?: Settings;
}): Promise<EmbeddedPostgres> {
  const { dataDir, settings = {} } = options;
  const began = new Date();
  const native = nativeDirectory();
  const place = await findPlace(dataDir);
  const binaries = await findPostgresBinaries(native, place.user);
  const cluster = join(place.directory, 'cluster');
  const server: Server = { place, binaries, cluster, log: join(place.directory, 'server.log') };
  await ensureCluster(server, settings);
  const password = (await readFile(join(place.directory, 'password'), 'utf8')).trim();
  const session = await attach(server, password, settings, began);
  const notes = [...place.notes, ...binaries.notes];
  if (session.orphan) notes.push('A Postgres that an earlier process had left running was taken over.');
  const query = `host=${encodeURIComponent(session.socketDirectory)}&sslmode=disable`;
  let closing: Promise<void> | undefined;
  const close = async () => {
    try {
      const pid = await session.leave();
      if (pid !== undefined) await stopServer(pid, cluster, PATIENCE_SECONDS);
    } finally {
      await session.end();
    }
  };
  return {
    connectionString: `postgresql://${SUPERUSER}:${password}@localhost:${PORT}/${DATABASE}?${query}`,
    notes,
    close: () => (closing ??= close()),
  };
}
