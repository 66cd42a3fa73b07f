import type { IssuerConfig } from '../../auth/issuer-config.ts';
import { type KmsProviderConfig, kmsProviderListSchema } from '../../kms/providers/config.ts';
import type { Cidr } from '../../policy/conditions/cidr.ts';
import { corsOrigins, graphiqlSwitch, trustedProxies } from './browsers-and-proxies.ts';
import { ConfigError } from './config-error.ts';
import { EnvironmentReader } from './environment-reader.ts';
import { type Environment, unknownVariables } from './environment.ts';
import { readIssuers } from './issuers.ts';
import { type Listening, readListening } from './listening.ts';
import { auditRetentionDays, type LogLevel, logLevel } from './log-and-retention.ts';
import { readRegions, type RegionConfig } from './regions.ts';
import { jsonText } from './text-schemas.ts';

/** Everything that the environment decides. */
export interface Config extends Listening {
  readonly production: boolean;
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
  readonly logLevel: LogLevel;
  /** null: audit events are kept for ever. */
  readonly auditRetentionDays: number | null;
}

/** Reads the environment. Throws one `ConfigError` with every problem in it. */
export function readConfig(environment: Environment): Config {
  const reader = new EnvironmentReader(environment);
  const production = readMode(reader);
  for (const name of unknownVariables(environment))
    reader.problems.push(`${name} is no variable of this release`);
  const issuers = readIssuers(reader, production);
  const regions = readRegions(reader, production);
  const usesDevelopmentIssuer = !production && reader.get('STRONGROOM_ISSUERS') === undefined;
  const config: Config = {
    ...readListening(reader, usesDevelopmentIssuer),
    ...{ production, regions, issuers },
    dataDir: reader.get('STRONGROOM_DATA_DIR') ?? '.strongroom',
    kmsProviders: reader.read<readonly KmsProviderConfig[]>(
      'STRONGROOM_KMS_PROVIDERS',
      jsonText.pipe(kmsProviderListSchema(production)),
      [],
    ),
    trustedProxies: reader.read('STRONGROOM_TRUSTED_PROXIES', trustedProxies, []),
    graphiql: reader.read('STRONGROOM_GRAPHIQL', graphiqlSwitch(production), !production),
    corsOrigins: reader.read('STRONGROOM_CORS_ORIGINS', corsOrigins, []),
    auditRetentionDays: reader.read<number | null>(
      'STRONGROOM_AUDIT_RETENTION_DAYS',
      auditRetentionDays,
      null,
    ),
    logLevel: reader.read('STRONGROOM_LOG_LEVEL', logLevel, 'info'),
  };
  if (reader.problems.length > 0) throw new ConfigError(reader.problems);
  return Object.freeze(config);
}

function readMode(reader: EnvironmentReader): boolean {
  const mode = reader.get('NODE_ENV') ?? '';
  if (mode !== 'production' && /^\s*prod/i.test(mode))
    reader.problems.push('NODE_ENV must be spelt production');
  return mode === 'production';
}
