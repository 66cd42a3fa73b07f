import { readFileSync } from 'node:fs';
import { z } from 'zod';
import type { IssuerConfig } from '../../auth/issuer-config.ts';
import { issuerListSchema } from '../../auth/issuer-list.ts';
import { SecretBytes } from '../../kms/envelope/secret-bytes.ts';
import { type RootKey, rootKeyId } from '../../kms/keys/root-keys.ts';
import { type KmsProviderConfig, kmsProviderListSchema } from '../../kms/providers/config.ts';
import { type Cidr, parseCidr } from '../../policy/conditions/cidr.ts';

export interface RegionConfig {
  readonly name: string;
  /** null: the embedded Postgres. */
  readonly databaseUrl: string | null;
  /** null: the one in the data directory. */
  readonly rootKeys: readonly RootKey[] | null;
}

/** Everything that the environment decides. */
export interface Config {
  readonly production: boolean;
  readonly host: string;
  readonly port: number;
  /** How many gateways, each a process, listen on that port. */
  readonly workers: number;
  readonly dataDir: string;
  /** The default region first. */
  readonly regions: readonly RegionConfig[];
  /** null: the development issuer. */
  readonly issuers: readonly IssuerConfig[] | null;
  /** The providers besides the service itself. */
  readonly kmsProviders: readonly KmsProviderConfig[];
  readonly trustedProxies: readonly Cidr[];
  readonly graphiql: boolean;
  readonly corsOrigins: readonly string[];
  readonly logLevel: (typeof LOG_LEVELS)[number];
  /** null: audit events are kept for ever. */
  readonly auditRetentionDays: number | null;
}

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'silent'] as const;
const MAX_WORKERS = 64;
const LOOPBACK = ['127.0.0.1', '::1', 'localhost'];
const REGION_NAME = /^[a-z0-9][a-z0-9-]{0,62}$/;

/** The variables that are read, each in the README's table. */
export const ENVIRONMENT_KEYS = [
  'NODE_ENV',
  'HOST',
  'PORT',
  'DATABASE_URL',
  'STRONGROOM_WORKERS',
  'STRONGROOM_DATA_DIR',
  'STRONGROOM_REGIONS',
  'STRONGROOM_ISSUERS',
  'STRONGROOM_ROOT_KEY',
  'STRONGROOM_ROOT_KEY_FILE',
  'STRONGROOM_KMS_PROVIDERS',
  'STRONGROOM_TRUSTED_PROXIES',
  'STRONGROOM_GRAPHIQL',
  'STRONGROOM_CORS_ORIGINS',
  'STRONGROOM_LOG_LEVEL',
  'STRONGROOM_AUDIT_RETENTION_DAYS',
] as const;
export type EnvironmentKey = (typeof ENVIRONMENT_KEYS)[number];
export type Environment = Readonly<Partial<Record<string, string>>>;

/** All that is wrong with the environment, a line each: names and rules, never a value. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';

  constructor(problems: readonly string[]) {
    super(['The configuration does not work:', ...problems.map((problem) => `- ${problem}`)].join('\n'));
  }
}

const regionList = z
  .array(
    z.strictObject({
      name: z.string().regex(REGION_NAME, 'must be 1 to 63 of a-z 0-9 and -'),
      databaseUrl: z.string().min(1).optional(),
      rootKey: z.string().optional(),
      rootKeyFile: z.string().optional(),
    }),
  )
  .min(1, 'must name at least one region')
  .refine(
    (regions) => new Set(regions.map(({ name }) => name)).size === regions.length,
    'must have names of their own',
  );

/** Reads the environment. Throws one `ConfigError` with every problem in it. */
export function readConfig(environment: Environment): Config {
  const problems: string[] = [];
  const get = (key: EnvironmentKey) => environment[key] || undefined;
  const attempt = <T>(key: EnvironmentKey, read: () => T, otherwise: T): T => {
    try {
      return read();
    } catch (error) {
      problems.push(`${key} ${error instanceof z.ZodError ? zodProblem(error) : (error as Error).message}`);
      return otherwise;
    }
  };
  const production = get('NODE_ENV') === 'production';
  if (!production && /^\s*prod/i.test(get('NODE_ENV') ?? ''))
    problems.push('NODE_ENV must be spelt production');
  for (const key of Object.keys(environment)) {
    if (key.startsWith('STRONGROOM_') && !(ENVIRONMENT_KEYS as readonly string[]).includes(key)) {
      problems.push(`${key} is no variable of this release`);
    }
  }
  const host = get('HOST') ?? '127.0.0.1';
  const issuersText = get('STRONGROOM_ISSUERS');
  const issuers = issuersText
    ? attempt('STRONGROOM_ISSUERS', () => issuerListSchema(production).parse(json(issuersText)), null)
    : null;
  const regions = attempt('STRONGROOM_REGIONS', () => readRegions(get, attempt), []);
  if (production) {
    if (!issuersText) problems.push('STRONGROOM_ISSUERS must be set in production');
    if (regions.some(({ databaseUrl }) => !databaseUrl)) {
      problems.push(
        'DATABASE_URL, or a databaseUrl for every region in STRONGROOM_REGIONS, must be set in production',
      );
    }
    if (regions.some(({ rootKeys }) => !rootKeys)) {
      problems.push(
        'STRONGROOM_ROOT_KEY or STRONGROOM_ROOT_KEY_FILE, or one for every region, must be set in production',
      );
    }
  } else if (!issuersText && !LOOPBACK.includes(host)) {
    problems.push('HOST must be 127.0.0.1, ::1 or localhost while the development issuer makes the tokens');
  }
  if (regions.filter(({ databaseUrl }) => !databaseUrl).length > 1) {
    problems.push(
      'STRONGROOM_REGIONS needs a databaseUrl for every region but one: there is one embedded database',
    );
  }
  const config: Config = {
    production,
    host,
    port: attempt('PORT', () => portNumber(get('PORT') ?? '4000'), 0),
    workers: attempt('STRONGROOM_WORKERS', () => workerCount(get('STRONGROOM_WORKERS') ?? '1'), 1),
    dataDir: get('STRONGROOM_DATA_DIR') ?? '.strongroom',
    regions,
    issuers,
    kmsProviders: attempt(
      'STRONGROOM_KMS_PROVIDERS',
      () => kmsProviderListSchema(production).parse(json(get('STRONGROOM_KMS_PROVIDERS') ?? '[]')),
      [],
    ),
    trustedProxies: attempt(
      'STRONGROOM_TRUSTED_PROXIES',
      () => list(get('STRONGROOM_TRUSTED_PROXIES')).map(cidr),
      [],
    ),
    graphiql: attempt('STRONGROOM_GRAPHIQL', () => switchOf(get('STRONGROOM_GRAPHIQL'), production), false),
    corsOrigins: attempt(
      'STRONGROOM_CORS_ORIGINS',
      () => list(get('STRONGROOM_CORS_ORIGINS')).map(origin),
      [],
    ),
    auditRetentionDays: attempt(
      'STRONGROOM_AUDIT_RETENTION_DAYS',
      () => retentionDays(get('STRONGROOM_AUDIT_RETENTION_DAYS')),
      null,
    ),
    logLevel: attempt('STRONGROOM_LOG_LEVEL', () => logLevel(get('STRONGROOM_LOG_LEVEL')), 'info'),
  };
  if (problems.length > 0) throw new ConfigError(problems);
  return Object.freeze(config);
}

function readRegions(
  get: (key: EnvironmentKey) => string | undefined,
  attempt: <T>(key: EnvironmentKey, read: () => T, otherwise: T) => T,
): readonly RegionConfig[] {
  const text = get('STRONGROOM_REGIONS') ?? 'local-1';
  const entries = regionList.parse(text.startsWith('[') ? json(text) : [{ name: text }]);
  const key = get('STRONGROOM_ROOT_KEY');
  const file = get('STRONGROOM_ROOT_KEY_FILE');
  const keySource = key === undefined ? 'STRONGROOM_ROOT_KEY_FILE' : 'STRONGROOM_ROOT_KEY';
  return entries.map(({ name, databaseUrl, rootKey, rootKeyFile }, index) => {
    const own = rootKey !== undefined || rootKeyFile !== undefined;
    return {
      name,
      databaseUrl: databaseUrl ?? (index === 0 ? (get('DATABASE_URL') ?? null) : null),
      rootKeys: own
        ? attempt('STRONGROOM_REGIONS', () => readRootKeys(rootKey, rootKeyFile), null)
        : index === 0
          ? attempt(keySource, () => readRootKeys(key, file), null)
          : null,
    };
  });
}

function readRootKeys(text: string | undefined, file: string | undefined): readonly RootKey[] | null {
  if (text !== undefined && file !== undefined) throw new Error('and its file must not both be set');
  if (file !== undefined) return parseRootKeys(readKeyFile(file));
  return text === undefined ? null : parseRootKeys(text);
}

function readKeyFile(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    throw new Error('names a file that cannot be read');
  }
}

/** One root key, or several separated by commas or line ends, newest first: base64 of 32 bytes, each after `id:` or not. */
export function parseRootKeys(text: string): readonly RootKey[] {
  const keys = text
    .split(/[,\n]/)
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '')
    .map(parseRootKey);
  if (keys.length === 0) throw new Error('must hold a root key');
  if (new Set(keys.map(({ id }) => id)).size < keys.length) throw new Error('must not name a root key twice');
  return keys;
}

function parseRootKey(entry: string): RootKey {
  const [, id, base64 = ''] = /^(?:([A-Za-z0-9_.-]{1,64}):)?([A-Za-z0-9+/]{43}=)$/.exec(entry) ?? [];
  const key = SecretBytes.fromBase64(base64);
  if (key.byteLength !== 32) throw new Error('must be base64 of 32 bytes, or id:base64');
  return { id: id ?? rootKeyId(key), key };
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error('must be JSON');
  }
}

function list(text: string | undefined): readonly string[] {
  return (text ?? '')
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');
}

function portNumber(text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535)
    throw new Error('must be a whole number from 0 to 65535');
  return Number(text);
}

function workerCount(text: string): number {
  if (!/^[1-9]\d?$/.test(text) || Number(text) > MAX_WORKERS)
    throw new Error(`must be a whole number from 1 to ${MAX_WORKERS}`);
  return Number(text);
}

function retentionDays(text: string | undefined): number | null {
  if (text === undefined) return null;
  if (!/^[1-9]\d{0,4}$/.test(text)) throw new Error('must be a whole number of days from 1 to 99999');
  return Number(text);
}

function cidr(text: string): Cidr {
  const parsed = parseCidr(text);
  if (!parsed) throw new Error('must be CIDRs without host bits, such as 10.0.0.5/32, separated by commas');
  return parsed;
}

function origin(text: string): string {
  if (!URL.canParse(text) || new URL(text).origin !== text) {
    throw new Error('must be origins such as https://app.example.com, separated by commas');
  }
  return text;
}

function switchOf(text: string | undefined, production: boolean): boolean {
  if (text === undefined) return !production;
  if (text !== 'true' && text !== 'false') throw new Error('must be true or false');
  if (production && text === 'true') throw new Error('must not be true in production');
  return text === 'true';
}

function logLevel(text = 'info'): Config['logLevel'] {
  const level = LOG_LEVELS.find((candidate) => candidate === text);
  if (!level) throw new Error(`must be one of ${LOG_LEVELS.join(', ')}`);
  return level;
}

/** Where and which rule; the messages are our own, for zod's would name what it received. */
function zodProblem(error: z.ZodError): string {
  const rule = (issue: z.core.$ZodIssue) =>
    issue.code === 'unrecognized_keys' ? 'has an unknown member' : issue.message;
  return error.issues.map((issue) => [...issue.path, rule(issue)].join(' ')).join('; ');
}
