/** Prints an access token of the development issuer: `npm run --silent token -- --organisation acme --roles strongroom:admin`. */
import { existsSync } from 'node:fs';
import type { z } from 'zod';
import { identityName, roleNames, scopeName, scopeNames } from '../src/auth/claim-rules.ts';
import { openDevelopmentIssuer } from '../src/auth/development-issuer.ts';
import { readOptions, UsageError } from './command-line.ts';

const UNIT_SECONDS = { s: 1, m: 60, h: 3_600, d: 86_400 } as const;
const MAX_TTL_SECONDS = 30 * UNIT_SECONDS.d;

const flag = { type: 'string', multiple: true } as const;

const USAGE = `
npm run --silent token -- --organisation <name> [options]

Prints an access token of the development issuer, for the service that runs with the same STRONGROOM_DATA_DIR.

  --organisation <name>  the organisation of the token
  --project <name>       its one project
  --projects <names>     a list of projects, separated by commas, of which a header chooses one
  --roles <names>        roles, separated by commas, such as strongroom:admin
  --subject <name>       whom the token names
  --ttl <time>           how long it is valid, such as 15m, 12h or 7d; at most 30d
`;

function parseFlags() {
  return readOptions(USAGE, {
    ...{ organisation: flag, project: flag, projects: flag, roles: flag, subject: flag, ttl: flag },
  });
}

function once(name: string, values: readonly string[] | undefined): string | undefined {
  if (values !== undefined && values.length > 1) throw new UsageError(`--${name} must be given once`);
  return values?.[0];
}

function check<T extends z.ZodType>(name: string, rule: T, value: unknown): z.output<T> {
  const result = rule.safeParse(value);
  if (result.success) return result.data;
  throw new UsageError(`--${name} ${result.error.issues[0]?.message ?? 'is not valid'}`);
}

function parseTtlSeconds(text: string): number {
  const [, count, unit] = /^([1-9][0-9]{0,6})([smhd])$/.exec(text) ?? [];
  const seconds = Number(count) * UNIT_SECONDS[unit as keyof typeof UNIT_SECONDS];
  if (!(seconds <= MAX_TTL_SECONDS))
    throw new UsageError('--ttl must be like 15m, 12h or 7d, and at most 30d');
  return seconds;
}

async function main(): Promise<string> {
  const { env } = process;
  const absent = 'so the development issuer does not exist: ask your identity provider for a token';
  if (env['NODE_ENV'] === 'production') throw new UsageError(`NODE_ENV is production, ${absent}`);
  if (env['STRONGROOM_ISSUERS']) throw new UsageError(`STRONGROOM_ISSUERS is set, ${absent}`);

  const flags = parseFlags();
  const organisation = once('organisation', flags.organisation);
  if (organisation === undefined) throw new UsageError('--organisation must be given, for instance acme');
  const project = check('project', scopeName.optional(), once('project', flags.project));
  const projects = check('projects', scopeNames.optional(), once('projects', flags.projects)?.split(','));
  if (project !== undefined && projects?.includes(project) === false) {
    throw new UsageError('--project must be one of --projects');
  }
  const claims = {
    organisation: check('organisation', scopeName, organisation),
    project,
    projects,
    roles: check('roles', roleNames, flags.roles?.flatMap((list) => list.split(',')) ?? []),
    subject: check('subject', identityName, once('subject', flags.subject) ?? 'developer'),
    ttlSeconds: parseTtlSeconds(once('ttl', flags.ttl) ?? '12h'),
  };
  const dataDir = env['STRONGROOM_DATA_DIR'] || '.strongroom';
  if (!existsSync(dataDir)) {
    process.stderr.write(
      `token: ${dataDir} was not there: only a service started on it later knows this issuer.\n`,
    );
  }
  const issuer = await openDevelopmentIssuer(dataDir);
  return issuer.mint(claims);
}

try {
  process.stdout.write(`${await main()}\n`);
} catch (error) {
  process.stderr.write(`token: ${error instanceof Error ? error.message : 'failed'}\n`);
  process.exitCode = 1;
}
