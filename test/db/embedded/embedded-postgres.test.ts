import { execFile, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  chmod,
  chown,
  cp,
  lstat,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  readlink,
  realpath,
  rm,
  statfs,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openEmbeddedPostgres } from '../../../src/db/embedded/embedded-postgres.ts';
import type { EmbeddedPostgres } from '../../../src/db/embedded/embedded-postgres.ts';
import { findPlace } from '../../../src/db/embedded/place.ts';
import { findPostgresBinaries, nativeDirectory } from '../../../src/db/embedded/postgres-binaries.ts';

type Opened = Pick<EmbeddedPostgres, 'connectionString' | 'notes'>;

const isRoot = process.getuid?.() === 0;
/** What is told of the database; that the programs were copied depends on where this checkout lies. */
function notesOf({ notes }: { readonly notes: readonly string[] }): readonly string[] {
  return notes.filter((note) => !note.startsWith('Postgres runs from the copy'));
}

const ORPHAN_NOTE = 'A Postgres that an earlier process had left running was taken over.';
const CHILD = join(import.meta.dirname, '../../support/embedded-postgres-child.ts');

let template: string;
let parent: string;
let dataDir: string;
let cleanups: (() => Promise<unknown>)[];

/** In memory where there is room: thirty databases are much to write, and the disk is not what is tested. */
async function findBase(): Promise<string> {
  const memory = await statfs('/dev/shm').catch(() => undefined);
  return memory && memory.bavail * memory.bsize > 1e9 ? '/dev/shm' : tmpdir();
}

/** Open to all as a checkout is, so that the system user of root's Postgres can pass. */
async function makeParent(): Promise<string> {
  const directory = await realpath(await mkdtemp(join(await findBase(), 'strongroom-test-')));
  await chmod(directory, 0o755);
  return directory;
}

const copy = (from: string, to: string) => promisify(execFile)('cp', ['-a', from, to]);

/** A data directory with an empty database that was closed in order; quicker than making one. */
const prepare = () => copy(template, dataDir);

beforeAll(async () => {
  template = join(await makeParent(), 'template');
  await (await openEmbeddedPostgres({ dataDir: template, settings: { fsync: 'off' } })).close();
});

afterAll(async () => {
  await rm(dirname(template), { recursive: true, force: true });
});

beforeEach(async () => {
  parent = await makeParent();
  dataDir = join(parent, 'data');
  cleanups = [() => rm(parent, { recursive: true, force: true })];
});

afterEach(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

const clusterOf = (directory = dataDir) => join(directory, 'postgres/cluster');
const pidFileOf = (cluster: string) => join(cluster, 'postmaster.pid');

async function postmasterPid(cluster = clusterOf()): Promise<number> {
  return Number((await readFile(pidFileOf(cluster), 'utf8')).split('\n')[0]);
}

/** A zombie that nobody has reaped does not count. */
async function isAlive(pid: number): Promise<boolean> {
  if (process.platform === 'linux') {
    return /^State:\t[^ZX]/m.test(await readFile(`/proc/${pid}/status`, 'utf8').catch(() => ''));
  }
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function untilDead(pid: number): Promise<void> {
  while (await isAlive(pid)) await sleep(10);
}

async function killServer(signal: 'SIGKILL' | 'SIGQUIT' = 'SIGKILL', cluster = clusterOf()): Promise<number> {
  const pid = await postmasterPid(cluster);
  process.kill(pid, signal);
  await untilDead(pid);
  return pid;
}

/** For when a test has failed to: with SIGQUIT, which leaves no shared memory behind, and not by a pid file it has forged. */
const cleanUpServer = (directory: string) => async () => {
  const cluster = clusterOf(directory);
  const pid = await postmasterPid(cluster).catch(() => 0);
  const isServer =
    process.platform !== 'linux' || (await readlink(`/proc/${pid}/cwd`).catch(() => '')) === cluster;
  if (pid !== 0 && isServer) await killServer('SIGQUIT', cluster).catch(() => undefined);
};

/** Opened in this process; whatever server is on its directory after the test is killed. */
async function open(directory = dataDir, settings: Record<string, string> = {}): Promise<EmbeddedPostgres> {
  cleanups.push(cleanUpServer(directory));
  const database = await openEmbeddedPostgres({
    dataDir: directory,
    settings: { fsync: 'off', ...settings },
  });
  cleanups.push(() => database.close());
  return database;
}

/** Opened in a process of its own, which leads a process group as one started from a terminal does. */
async function openInChild(): Promise<Opened & { process: ChildProcess; pid: number }> {
  cleanups.push(cleanUpServer(dataDir));
  const child = spawn(process.execPath, [CHILD, dataDir], {
    detached: true,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  cleanups.push(() => Promise.resolve(child.kill('SIGKILL')));
  for await (const line of createInterface(child.stdout)) {
    return { ...(JSON.parse(line) as Opened), process: child, pid: child.pid ?? 0 };
  }
  throw new Error('The child said nothing.');
}

async function query(database: Opened, sql: string): Promise<unknown[]> {
  const client = new Client({ connectionString: database.connectionString });
  await client.connect();
  try {
    return (await client.query<unknown[]>({ text: sql, rowMode: 'array' })).rows.flat();
  } finally {
    await client.end();
  }
}

const keep = (database: Opened) => query(database, `CREATE TABLE kept AS SELECT 'kept'::text AS value`);
const kept = (database: Opened) => query(database, 'SELECT value FROM kept');

describe('what it refuses', () => {
  test('Windows and platforms without a package are told to set DATABASE_URL', () => {
    expect(() => nativeDirectory('win32', 'x64')).toThrow(/Windows.*DATABASE_URL/);
    expect(() => nativeDirectory('sunos', 'x64')).toThrow(/@embedded-postgres\/sunos-x64.*DATABASE_URL/);
  });

  test('a database made by another major version is left alone, and the message says what to do', async () => {
    await mkdir(clusterOf(), { recursive: true });
    if (isRoot) {
      const { user } = await findPlace(parent);
      await chown(join(dataDir, 'postgres'), user?.uid ?? -1, user?.gid ?? -1);
    }
    await writeFile(join(clusterOf(), 'PG_VERSION'), '17\n');
    await expect(open()).rejects.toThrow(
      /made by Postgres 17, and this is Postgres 18.*pg_dump.*DATABASE_URL/,
    );
    expect(await readdir(clusterOf())).toEqual(['PG_VERSION']);
  });

  test('a server that cannot start is told with its own reason, and not waited for', async () => {
    await prepare();
    await (await open()).close();
    await expect(open(dataDir, { max_connections: 'many' })).rejects.toThrow(
      /Postgres did not start: .*"max_connections".* Its log is .*server\.log/,
    );
  });

  test.runIf(isRoot)('a database of another user is not served by root', async () => {
    await mkdir(join(dataDir, 'postgres'), { recursive: true });
    await expect(open()).rejects.toThrow(/belongs to the user with the id 0/);
  });

  test('a wrong password is refused, over the only way in', async () => {
    await prepare();
    const database = await open();
    const wrong = database.connectionString.replace(/:[^:@]+@/, ':wrong@');
    await expect(query({ ...database, connectionString: wrong }, 'SELECT')).rejects.toThrow(
      /password authentication failed/,
    );
    expect(await query(database, 'SHOW listen_addresses')).toEqual(['']);
    expect((await lstat(join(dataDir, 'postgres'))).mode & 0o777).toBe(0o700);
    expect((await lstat(join(dataDir, 'postgres/socket'))).mode & 0o777).toBe(0o700);
    expect((await lstat(join(dataDir, 'postgres/password'))).mode & 0o777).toBe(0o600);
  });

  test('no statement, parameter or rejected input gets into the log of the server', async () => {
    await prepare();
    const database = await open(dataDir, { log_statement: 'all' });
    await expect(query(database, `SELECT 'hunter2'::int`)).rejects.toThrow(/hunter2/);
    await expect(query(database, `DO $$ BEGIN RAISE 'hunter2'; END $$`)).rejects.toThrow(/hunter2/);
    await database.close();
    const log = await readFile(join(dataDir, 'postgres/server.log'), 'utf8');
    expect(log).toContain('ready to accept connections');
    expect(log).not.toContain('hunter2');
  });
});

describe('one process', () => {
  test('a fresh directory becomes a database, and what it keeps is there after close and open', async () => {
    const first = await open();
    expect(notesOf(first)).toEqual([]);
    expect(await query(first, 'SELECT current_database()')).toEqual(['strongroom']);
    expect(
      await query(
        first,
        `SELECT datcollate, pg_encoding_to_char(encoding) FROM pg_database WHERE datname = 'strongroom'`,
      ),
    ).toEqual(['C', 'UTF8']);
    expect(await query(first, 'SHOW data_checksums')).toEqual(['on']);
    expect(await query(first, 'SHOW synchronous_commit')).toEqual(['on']);
    await keep(first);
    const pid = await postmasterPid();
    await Promise.all([first.close(), first.close()]);
    await first.close();
    expect(await isAlive(pid)).toBe(false);

    const second = await open();
    expect(notesOf(second)).toEqual([]);
    expect(await kept(second)).toEqual(['kept']);
  });

  test('a path with spaces, quotes and a dollar, too long for a socket, works the same', async () => {
    const long = join(parent, `it's "a", ü $HOME 100%`, 'x'.repeat(90), 'data');
    const first = await open(long);
    await keep(first);
    const host = new URL(first.connectionString).searchParams.get('host') ?? '';
    cleanups.push(() => rm(host, { recursive: true, force: true }));
    expect(host).toMatch(/^\/tmp\/strongroom-[0-9a-f]{16}$/);
    expect((await lstat(host)).mode & 0o777).toBe(0o700);
    await first.close();
    expect(await kept(await open(long))).toEqual(['kept']);
  });

  test("a half-made directory of a killed start is in nobody's way, and goes when it is old", async () => {
    const [young, old] = [join(dataDir, 'postgres.new-young'), join(dataDir, 'postgres.new-old')];
    for (const draft of [young, old]) {
      await mkdir(join(draft, 'cluster'), { recursive: true });
      await writeFile(join(draft, 'cluster/PG_VERSION'), '18\n');
    }
    const hourAgo = new Date(Date.now() - 3_600_000);
    await utimes(old, hourAgo, hourAgo);
    expect(await query(await open(), 'SELECT 1')).toEqual([1]);
    expect((await readdir(dataDir)).sort()).toEqual(['postgres', 'postgres.new-young']);
  });

  test('a server killed with SIGKILL does not take the process with it, and recovers at the next start', async () => {
    await prepare();
    const first = await open();
    await keep(first);
    const pid = await killServer();
    await first.close();

    const second = await open();
    expect(await kept(second)).toEqual(['kept']);
    expect(await postmasterPid()).not.toBe(pid);
  });

  test('the pid file of a dead server does not keep the next from starting', async () => {
    await prepare();
    const first = await open();
    const pidFile = await readFile(pidFileOf(clusterOf()), 'utf8');
    await keep(first);
    await first.close();
    await writeFile(pidFileOf(clusterOf()), pidFile);
    expect(await kept(await open())).toEqual(['kept']);
  });

  test('a pid file whose number another process of the same user has by now does not either', async () => {
    await prepare();
    const first = await open();
    const pidFile = await readFile(pidFileOf(clusterOf()), 'utf8');
    await keep(first);
    await first.close();
    const { uid, gid } = await lstat(clusterOf());
    const stranger = spawn('sleep', ['60'], { cwd: '/', ...(isRoot && { uid, gid }) });
    cleanups.push(() => Promise.resolve(stranger.kill('SIGKILL')));
    const stale = pidFile.replace(/^\d+/, String(stranger.pid));
    await writeFile(pidFileOf(clusterOf()), stale);
    await writeFile(join(dataDir, 'postgres/socket/.s.PGSQL.5432.lock'), stale);
    expect(await kept(await open())).toEqual(['kept']);
    expect(await isAlive(stranger.pid ?? 0)).toBe(true);
  });

  test('an empty pid file, as a power failure leaves it, does not either', async () => {
    await prepare();
    await (await open()).close();
    await writeFile(pidFileOf(clusterOf()), '');
    const hourAgo = new Date(Date.now() - 3_600_000);
    await utimes(pidFileOf(clusterOf()), hourAgo, hourAgo);
    expect(await query(await open(), 'SELECT 1')).toEqual([1]);
  });

  test('a copy of a directory in use gets a server of its own, and the original keeps its own', async () => {
    await prepare();
    const original = await open();
    await query(original, 'CHECKPOINT');
    const copyDir = join(parent, 'copy');
    await copy(dataDir, copyDir);
    const second = await open(copyDir);
    expect(await query(second, 'SHOW data_directory')).toEqual([clusterOf(copyDir)]);
    expect(await query(original, 'SHOW data_directory')).toEqual([clusterOf()]);
  });
});

describe('several processes', () => {
  test('a server whose starter was killed is taken over, and nothing is lost', async () => {
    await prepare();
    const starter = await openInChild();
    await keep(starter);
    const pid = await postmasterPid();
    process.kill(-starter.pid, 'SIGKILL');
    await once(starter.process, 'exit');

    const heir = await open();
    expect(notesOf(heir)).toEqual([ORPHAN_NOTE]);
    expect(await postmasterPid()).toBe(pid);
    expect(await kept(heir)).toEqual(['kept']);
    await heir.close();
    expect(await isAlive(pid)).toBe(false);
  });

  test('Ctrl-C in the terminal reaches the process, not the server', async () => {
    await prepare();
    const starter = await openInChild();
    const pid = await postmasterPid();
    process.kill(-starter.pid, 'SIGINT');
    await once(starter.process, 'exit');
    await sleep(200);
    expect(await isAlive(pid)).toBe(true);
    expect(await query(starter, 'SELECT 1')).toEqual([1]);
  });

  test('two at once on a fresh directory share one server, which the last to leave stops', async () => {
    const [one, two] = await Promise.all([openInChild(), openInChild()]);
    const start = 'SELECT pg_postmaster_start_time()';
    expect(one.connectionString).toBe(two.connectionString);
    expect([notesOf(one), notesOf(two)]).toEqual([[], []]);
    expect(await query(one, start)).toEqual(await query(two, start));
    const pid = await postmasterPid();

    one.process.stdin?.end();
    expect(await once(one.process, 'exit')).toEqual([0, null]);
    expect(await isAlive(pid)).toBe(true);
    expect(await query(two, 'SELECT 1')).toEqual([1]);

    two.process.stdin?.end();
    expect(await once(two.process, 'exit')).toEqual([0, null]);
    expect(await isAlive(pid)).toBe(false);
    expect((await readdir(dataDir)).sort()).toEqual(['postgres']);
  });

  test('two that leave at once stop the server, and one that comes meanwhile has it', async () => {
    await prepare();
    const [one, two] = [await open(), await open()];
    const [, , third] = await Promise.all([one.close(), two.close(), open()]);
    expect(await query(third, 'SELECT 1')).toEqual([1]);
    const pid = await postmasterPid();
    await third.close();
    expect(await isAlive(pid)).toBe(false);
  });

  test('an attachment that the server broke off is renewed, so that the server is not stopped under it', async () => {
    await prepare();
    const [one, two] = [await open(), await open()];
    await query(
      one,
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'strongroom supervisor'`,
    );
    await sleep(1_500);
    await one.close();
    expect(await query(two, 'SELECT 1')).toEqual([1]);
  });
});

// As root only: an ordinary user's Postgres runs as that user, who can reach what is theirs.
describe.runIf(isRoot)('as root', () => {
  test('under a private home the database lies in the system directory, is found again, and no mode changes', async () => {
    await chmod(parent, 0o700);
    const first = await open();
    const host = new URL(first.connectionString).searchParams.get('host') ?? '';
    const directory = dirname(host);
    cleanups.push(() => rm(directory, { recursive: true, force: true }));
    expect(directory).toMatch(/^\/var\/lib\/strongroom\/data-[0-9a-f]{16}$/);
    expect(notesOf(first)).toEqual([
      `The database lies in ${directory}, because the user strongroom, as which Postgres runs for root, cannot enter ${dataDir}; to start afresh, delete both.`,
    ]);
    expect((await lstat(parent)).mode & 0o777).toBe(0o700);
    expect(await readdir(dataDir)).toEqual([]);
    await keep(first);
    await first.close();

    const second = await open();
    expect(notesOf(second)).toEqual(notesOf(first));
    expect(await kept(second)).toEqual(['kept']);
    await second.close();

    await chmod(parent, 0o755);
    expect(await kept(await open())).toEqual(['kept']);
  });

  test('a database that its user can no longer reach is not replaced by an empty one', async () => {
    await prepare();
    await (await open()).close();
    await chmod(parent, 0o700);
    await expect(open()).rejects.toThrow(/can no longer enter/);
  });

  test('programs that the system user cannot reach, or lost their mode bits and links, run from a copy', async () => {
    await chmod(parent, 0o700);
    const native = join(parent, 'native');
    await cp(nativeDirectory(), native, { recursive: true, filter: (source) => !source.endsWith('.so.60') });
    await chmod(join(native, 'bin/initdb'), 0o600);
    await writeFile(join(parent, 'package.json'), '{"version":"0.0.0-test"}');
    const copy = '/var/lib/strongroom/postgres-0.0.0-test';
    cleanups.push(() => rm(copy, { recursive: true, force: true }));
    const { user } = await findPlace(tmpdir());

    const found = await findPostgresBinaries(native, user);
    expect(found).toMatchObject({ initdb: `${copy}/bin/initdb`, majorVersion: '18' });
    expect(found.notes[0]).toContain(copy);
    const { ino, uid, mode } = await lstat(copy);
    expect([uid, mode & 0o777]).toEqual([0, 0o755]);
    await findPostgresBinaries(native, user);
    expect((await lstat(copy)).ino).toBe(ino);
  });

  test('Postgres has the rights of its user alone: no group of root, no environment of this process', async () => {
    await prepare();
    await open();
    const status = await readFile(`/proc/${await postmasterPid()}/status`, 'utf8');
    const { uid, gid } = await lstat(clusterOf());
    expect(/^Uid:\t(.*)$/m.exec(status)?.[1]).toBe(Array(4).fill(uid).join('\t'));
    expect(/^Gid:\t(.*)$/m.exec(status)?.[1]).toBe(Array(4).fill(gid).join('\t'));
    expect(/^Groups:\t(.*)$/m.exec(status)?.[1]?.trim()).toBe('');
    const environment = await readFile(`/proc/${await postmasterPid()}/environ`, 'utf8');
    expect(environment.split('\0').map((each) => each.split('=')[0])).not.toContain('VITEST');
  });
});
