import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, chown, mkdtemp, rm } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';

const run = promisify(execFile);
const BIN = '/usr/lib/postgresql/15/bin';
const SUPERUSER = 'postgres';
const PORT = 5432;

/** Why there are no tests on the oldest supported PostgreSQL here, in a sentence; null where there are. */
export function missingForDebianPostgres(): string | null {
  return existsSync(join(BIN, 'initdb'))
    ? null
    : 'PostgreSQL 15 is not installed: apt-get install postgresql-15';
}

/** A cluster of Debian's PostgreSQL 15 on a Unix socket, and its command line tools. */
export class DebianPostgres {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async start(): Promise<DebianPostgres> {
    const server = new DebianPostgres(await mkdtemp('/tmp/sr-pg15-'));
    await chmod(server.#folder, 0o755);
    if (isRoot()) await chown(server.#folder, ...(await idsOf(SUPERUSER)));
    await server.#tool('initdb', ['-D', server.#data, '-U', SUPERUSER, '-A', 'trust', '--no-sync']);
    const options = `-c listen_addresses='' -c unix_socket_directories=${server.#folder} -c fsync=off -p ${PORT}`;
    const log = join(server.#folder, 'log');
    await server.#tool('pg_ctl', ['-D', server.#data, '-w', '-l', log, '-o', options, 'start']);
    return server;
  }

  url(user: string, database: string): string {
    return `postgres://${user}@localhost:${PORT}/${database}?host=${this.#folder}`;
  }

  /** Runs statements as the superuser, each by itself. */
  async admin(...statements: readonly string[]): Promise<void> {
    const client = new pg.Client({ connectionString: this.url(SUPERUSER, 'postgres') });
    await client.connect();
    try {
      for (const statement of statements) await client.query(statement);
    } finally {
      await client.end();
    }
  }

  /** With it, PostgreSQL's own programs are found, and reach this cluster as its superuser. */
  get environment(): Readonly<Record<string, string>> {
    return {
      ...{ PATH: `${BIN}:${process.env['PATH'] ?? ''}`, PGHOST: this.#folder, PGPORT: String(PORT) },
      ...{ PGUSER: SUPERUSER, PGDATABASE: 'postgres' },
    };
  }

  async stop(): Promise<void> {
    await this.#tool('pg_ctl', ['-D', this.#data, '-m', 'immediate', 'stop']);
    await rm(this.#folder, { recursive: true, force: true });
  }

  get #data(): string {
    return join(this.#folder, 'data');
  }

  /** PostgreSQL does not run as root. */
  async #tool(name: string, args: readonly string[]): Promise<void> {
    const program = join(BIN, name);
    if (isRoot()) await run('runuser', ['-u', SUPERUSER, '--', program, ...args], { cwd: '/' });
    else await run(program, args);
  }
}

function isRoot(): boolean {
  return userInfo().uid === 0;
}

async function idsOf(user: string): Promise<[number, number]> {
  const [uid, gid] = await Promise.all(
    ['-u', '-g'].map(async (flag) => (await run('id', [flag, user])).stdout),
  );
  return [Number(uid), Number(gid)];
}
