/** Where the embedded Postgres lives, and as whom it runs. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  access,
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  open,
  readdir,
  realpath,
  rename,
  rm,
  stat,
} from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

/** What keeps the embedded Postgres from serving, in sentences for the person who starts Strongroom. */
export class EmbeddedPostgresError extends Error {
  override readonly name = 'EmbeddedPostgresError';
}

/** The system user that Postgres runs as for root; undefined otherwise: it runs as whoever started this process. */
export type ServerUser = { readonly uid: number; readonly gid: number } | undefined;

export interface Place {
  readonly directory: string;
  readonly user: ServerUser;
  readonly notes: readonly string[];
}

const USER_NAME = 'strongroom';
const USERADD = `useradd --system --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin ${USER_NAME}`;
const SYSTEM_DIRECTORIES = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const ABANDONED_AFTER_MS = 10 * 60_000;

/**
 * Spawn options that give a program the rights of `user` and no more (with a uid, libuv drops the supplementary
 * groups too), a working directory that every user may enter, and none of this process' environment: there are keys in it.
 */
export function spawnAs(user: ServerUser) {
  const path = `${SYSTEM_DIRECTORIES}:${process.env['PATH'] ?? ''}`;
  return { cwd: '/', env: { PATH: path, LC_ALL: 'C', TZ: 'UTC' }, ...user };
}

/** Runs a program to its end, two minutes at most, and returns its output; throws what it complained of otherwise. */
export async function run(
  file: string,
  args: readonly string[],
  user?: ServerUser,
  input?: string,
): Promise<string> {
  const running = promisify(execFile)(file, args, { ...spawnAs(user), timeout: 120_000 });
  running.child.stdin?.on('error', () => undefined).end(input); // a program that fails early does not read it
  try {
    return (await running).stdout;
  } catch (cause) {
    const { message, stderr } = cause as Error & { stderr: string };
    throw new EmbeddedPostgresError(`${basename(file)} failed: ${stderr.trim() || message}`, { cause });
  }
}

async function succeeds(attempt: Promise<unknown>): Promise<boolean> {
  return attempt.then(
    () => true,
    () => false,
  );
}

export async function exists(path: string): Promise<boolean> {
  return succeeds(access(path));
}

/** Root's directory for what the system user cannot reach where it is. It is never writable to that user. */
export async function systemDirectory(): Promise<string> {
  const directory = '/var/lib/strongroom';
  if ((await mkdir(directory, { recursive: true, mode: 0o755 })) !== undefined) await chmod(directory, 0o755);
  const { uid, mode } = await lstat(directory);
  if (uid === 0 && (mode & 0o022) === 0) return directory;
  throw new EmbeddedPostgresError(
    `${directory} is not root's alone: give it to root with mode 0755, or remove it.`,
  );
}

/**
 * Makes a directory whole or not at all: `fill` works on a temporary sibling, which takes the name at the end. Where
 * another process was first, its directory stays. Siblings that a killed process left are removed when they are old.
 */
export async function makeWhole(directory: string, fill: (draft: string) => Promise<void>): Promise<void> {
  const parent = dirname(directory);
  const prefix = `${basename(directory)}.new-`;
  for (const name of (await readdir(parent)).filter((each) => each.startsWith(prefix))) {
    const made = await stat(join(parent, name)).catch(() => undefined);
    const isAbandoned = made !== undefined && made.mtimeMs < Date.now() - ABANDONED_AFTER_MS;
    if (isAbandoned) await rm(join(parent, name), { recursive: true, force: true });
  }
  const draft = await mkdtemp(join(parent, prefix));
  try {
    await fill(draft);
    await rename(draft, directory).catch(async (error: unknown) => {
      if (!(await exists(directory))) throw error;
    });
    const handle = await open(parent);
    await handle.sync().finally(() => handle.close());
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

async function systemUser(): Promise<NonNullable<ServerUser>> {
  const ids = async () => ({
    uid: Number(await run('id', ['-u', USER_NAME])),
    gid: Number(await run('id', ['-g', USER_NAME])),
  });
  const [command = '', ...args] = USERADD.split(' ');
  for (let attempt = 1; ; attempt++) {
    const user = await ids().catch(() => undefined);
    if (user) return user;
    try {
      await run(command, args);
    } catch (cause) {
      // Two at once: one finds the user database locked, or the user made. It looks again.
      if (attempt < 5) await sleep(200);
      else {
        const message =
          `Postgres refuses to run as root, and the user to run it as could not be made with "${USERADD}". ` +
          'Make that user, start Strongroom as an ordinary user, or set DATABASE_URL.';
        throw new EmbeddedPostgresError(message, { cause });
      }
    }
  }
}

async function inspectOwner(directory: string, uid: number | undefined): Promise<void> {
  const owner = (await stat(directory).catch(() => undefined))?.uid;
  if (owner === undefined || owner === uid) return;
  throw new EmbeddedPostgresError(
    `The database in ${directory} belongs to the user with the id ${owner}, and Postgres would run as ${uid ?? 'another'}. ` +
      'Start Strongroom as the user who started it first, or choose another STRONGROOM_DATA_DIR.',
  );
}

/**
 * Decides where the database of a data directory lies: in its `postgres`, unless this is root and the system user cannot
 * get there. What exists decides first, so that the place stays the same when permissions change. Makes the data directory.
 */
export async function findPlace(dataDir: string): Promise<Place> {
  const isRoot = process.getuid?.() === 0;
  await mkdir(dataDir, { recursive: true, mode: isRoot ? 0o711 : 0o700 });
  const parent = await realpath(dataDir);
  const inside = join(parent, 'postgres');
  if (!isRoot) {
    await inspectOwner(inside, process.getuid?.());
    return { directory: inside, user: undefined, notes: [] };
  }

  const user = await systemUser();
  const name = `data-${createHash('sha256').update(parent).digest('hex').slice(0, 16)}`;
  const outside = join(await systemDirectory(), name);
  const reachable = await succeeds(run('/bin/sh', ['-c', 'test -x "$1"', 'sh', parent], user));
  const useOutside = (await exists(outside)) || (!reachable && !(await exists(inside)));
  const directory = useOutside ? outside : inside;
  await inspectOwner(directory, user.uid);
  if (!useOutside && !reachable) {
    throw new EmbeddedPostgresError(
      `The user ${USER_NAME}, as which Postgres runs for root, can no longer enter ${parent}, where its database lies. ` +
        'Let it pass as before, or choose another STRONGROOM_DATA_DIR.',
    );
  }
  const note =
    `The database lies in ${outside}, because the user ${USER_NAME}, as which Postgres runs for root, cannot enter ` +
    `${parent}; to start afresh, delete both.`;
  return { directory, user, notes: useOutside ? [note] : [] };
}
