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

const KNOWN: readonly string[] = ENVIRONMENT_KEYS;

/** The variables of this service's that no release knows. */
export function unknownVariables(environment: Environment): readonly string[] {
  return Object.keys(environment).filter((key) => key.startsWith('STRONGROOM_') && !KNOWN.includes(key));
}
