import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { requireKeySet } from '../auth/key-set.ts';
import { type DatabaseState, lookAtDatabase } from '../db/migrate/look-at-database.ts';
import { errorFacts } from '../http/log.ts';
import type { Config } from './config/config.ts';
import type { RegionConfig } from './config/regions.ts';
import { parseRootKeys } from './config/root-keys.ts';
import { rootKeyFile } from './root-key-file.ts';

/** One thing that a start needs. `problem` null: it is there. */
export interface Finding {
  readonly what: string;
  readonly problem: string | null;
  readonly note?: string;
}

/** Looks at all that a start with this configuration needs. It starts nothing and writes nothing. */
export async function check(config: Config): Promise<readonly Finding[]> {
  const findings: Finding[] = [{ what: 'configuration', problem: null }];
  for (const region of config.regions) findings.push(...(await checkRegion(config.dataDir, region)));
  for (const issuer of config.issuers ?? []) {
    const what = `key set of the issuer ${issuer.issuer}`;
    findings.push({ what, problem: await problemOf(() => requireKeySet(issuer)) });
  }
  if (!config.issuers) findings.push({ what: 'issuer', problem: null, note: 'the development issuer' });
  return findings;
}

async function checkRegion(dataDir: string, region: RegionConfig): Promise<readonly Finding[]> {
  const what = `database of region ${region.name}`;
  if (region.databaseUrl === null) {
    const note = 'the embedded PostgreSQL, which starts with the service';
    return [{ what, problem: null, note }, await rootKeyFinding(dataDir, region, [])];
  }
  let state: DatabaseState;
  try {
    state = await lookAtDatabase(region.databaseUrl);
  } catch (error) {
    return [{ what, problem: unreachable(error) }];
  }
  const { missing, pending, usedRootKeys } = state;
  const problem = missing.map(({ lacks, remedy }) => `lacks ${lacks}: ${remedy}`).join(' ') || null;
  return [
    { what, problem, note: `${pending.length} migrations to apply` },
    await rootKeyFinding(dataDir, region, usedRootKeys),
  ];
}

async function rootKeyFinding(
  dataDir: string,
  { name, rootKeys }: RegionConfig,
  used: readonly string[],
): Promise<Finding> {
  const what = `root key of region ${name}`;
  const file = rootKeyFile(dataDir, name);
  if (rootKeys === null && used.length === 0 && !existsSync(file))
    return { what, problem: null, note: 'the first start makes it in the data directory' };
  const given = rootKeys ?? (existsSync(file) ? parseRootKeys(await readFile(file, 'utf8')) : []);
  const lost = used.filter((id) => !given.some((key) => key.id === id));
  return { what, problem: lost.length > 0 ? `lacks ${lost.join(', ')}, which the database needs` : null };
}

async function problemOf(look: () => Promise<void>): Promise<string | null> {
  try {
    await look();
    return null;
  } catch (error) {
    return unreachable(error);
  }
}

/** By the code of the first cause, which tells a wrong name from a certificate that is not trusted. */
function unreachable(error: unknown): string {
  if (error instanceof Error && error.cause !== undefined) return unreachable(error.cause);
  const { error: kind, code } = errorFacts(error);
  return `cannot be reached: ${String(code ?? kind)}`;
}
