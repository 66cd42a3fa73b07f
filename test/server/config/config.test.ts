import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../../src/server/config/config-error.ts';
import { readConfig } from '../../../src/server/config/config.ts';
import type { Environment } from '../../../src/server/config/environment.ts';
import { parseRootKeys } from '../../../src/server/config/root-keys.ts';

const CANARY = 'canary7f3a';
const keyOf = (byte: number) => Buffer.alloc(32, byte).toString('base64');
const ISSUERS = JSON.stringify([
  { issuer: 'https://i.example', audience: 'strongroom', jwksUri: 'https://i.example/jwks' },
]);
const PRODUCTION: Environment = {
  NODE_ENV: 'production',
  HOST: '0.0.0.0',
  DATABASE_URL: 'postgres://db/strongroom',
  STRONGROOM_ISSUERS: ISSUERS,
  STRONGROOM_ROOT_KEY: keyOf(1),
};

/** The problems, a line each, after checking that no value is among them. */
function problems(environment: Environment): string[] {
  try {
    readConfig(environment);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    expect(error.message.toLowerCase()).not.toContain('canary');
    const [head, ...lines] = error.message.split('\n');
    expect(head).toBe('The configuration does not work:');
    return lines.map((line) => line.replace(/^- /, ''));
  }
  throw new Error('It was accepted.');
}
const about = (lines: readonly string[]) => lines.map((line) => /^[A-Z_]+/.exec(line)?.[0]).sort();

describe('a configuration that does not work', () => {
  it('is refused with every problem at once, and no value', () => {
    const environment = {
      HOST: CANARY,
      PORT: CANARY,
      DATABASE_URL: `postgres://${CANARY}@db`,
      STRONGROOM_DATA_DIR: CANARY,
      STRONGROOM_REGIONS: `${CANARY}!`,
      STRONGROOM_ISSUERS: CANARY,
      STRONGROOM_ROOT_KEY: CANARY,
      STRONGROOM_KMS_PROVIDERS: CANARY,
      STRONGROOM_TRUSTED_PROXIES: CANARY,
      STRONGROOM_GRAPHIQL: CANARY,
      STRONGROOM_CORS_ORIGINS: CANARY,
      STRONGROOM_LOG_LEVEL: CANARY,
      STRONGROOM_OTHER: CANARY,
    };
    expect(about(problems(environment))).toEqual([
      'PORT',
      'STRONGROOM_CORS_ORIGINS',
      'STRONGROOM_GRAPHIQL',
      'STRONGROOM_ISSUERS',
      'STRONGROOM_KMS_PROVIDERS',
      'STRONGROOM_LOG_LEVEL',
      'STRONGROOM_OTHER',
      'STRONGROOM_REGIONS',
      'STRONGROOM_TRUSTED_PROXIES',
    ]);
  });

  it.each([
    ['PORT', ['65536', '-1', '1.5', CANARY, 'Infinity']],
    [
      'STRONGROOM_REGIONS',
      ['EU', 'eu_1', '-eu', `a${'b'.repeat(63)}`, '[', `[${CANARY}`, '[]', '[1]', '[{"name":"A"}]'],
    ],
    [
      'STRONGROOM_REGIONS',
      ['[{"name":"a"},{"name":"a","databaseUrl":"x"}]', '[{"name":"a","databaseUrl":""}]'],
    ],
    [
      'STRONGROOM_REGIONS',
      [`[{"name":"a","rootKey":"${CANARY}"}]`, `[{"name":"a","rootKeyFile":"/${CANARY}"}]`],
    ],
    ['STRONGROOM_REGIONS', [`[{"name":"a","rootKey":"${keyOf(1)}","rootKeyFile":"${CANARY}"}]`]],
    ['STRONGROOM_ISSUERS', ['{}', '[]', 'null', `[{"issuer":"${CANARY}"}]`, `"${CANARY}"`]],
    ['STRONGROOM_ROOT_KEY', [CANARY, `${keyOf(1)}x`, `a b:${keyOf(1)}`, ',', `${keyOf(1)},${CANARY}`]],
    [
      'STRONGROOM_KMS_PROVIDERS',
      ['{}', 'null', '[1]', '[{}]', `[{"kind":"${CANARY}"}]`, `[{"kind":"transit","${CANARY}":1}]`],
    ],
    ['STRONGROOM_TRUSTED_PROXIES', [CANARY, '10.0.0.1/8', '10.0.0.0/8 192.168.0.0/16', '*', '010.0.0.0/8']],
    ['STRONGROOM_GRAPHIQL', ['1', 'yes', 'TRUE', CANARY]],
    [
      'STRONGROOM_CORS_ORIGINS',
      ['*', 'null', 'app.example.com', 'https://app.example.com/', `https://a.example/${CANARY}`],
    ],
    ['STRONGROOM_WORKERS', ['0', '-1', '1.5', '65', '100', '02', ' 2', '2x', 'auto', CANARY]],
    ['STRONGROOM_AUDIT_RETENTION_DAYS', ['0', '-1', '1.5', '100000', '30d', CANARY]],
    ['STRONGROOM_LOG_LEVEL', ['INFO', 'trace2', CANARY, 'toString']],
  ] as const)('is refused for its %s', (name, values) => {
    for (const value of values) expect(about(problems({ [name]: value })), value).toEqual([name]);
  });

  it.each(['STRONGROOM_ROOTKEY', 'STRONGROOM_', 'STRONGROOM_ROOT_KEYS', 'STRONGROOM_regions'])(
    'is refused for the variable %s, which there is not, whatever it holds',
    (name) => {
      for (const value of [CANARY, ''])
        expect(problems({ [name]: value })).toEqual([`${name} is no variable of this release`]);
    },
  );

  it('is told which numbers of workers there are', () => {
    expect(problems({ STRONGROOM_WORKERS: '65' })).toEqual([
      'STRONGROOM_WORKERS must be a whole number from 1 to 64',
    ]);
  });

  it('is refused where two regions would share the embedded database', () => {
    expect(problems({ STRONGROOM_REGIONS: '[{"name":"a"},{"name":"b"}]' })[0]).toMatch(
      /^STRONGROOM_REGIONS needs/,
    );
  });
});

describe('production', () => {
  it('refuses to start without issuers, database and root key, in one message', () => {
    expect(problems({ NODE_ENV: 'production' })).toEqual([
      'STRONGROOM_ISSUERS must be set in production',
      'DATABASE_URL, or a databaseUrl for every region in STRONGROOM_REGIONS, must be set in production',
      'STRONGROOM_ROOT_KEY or STRONGROOM_ROOT_KEY_FILE, or one for every region, must be set in production',
    ]);
  });

  it.each(['DATABASE_URL', 'STRONGROOM_ISSUERS', 'STRONGROOM_ROOT_KEY'])(
    'refuses to start with %s left out or empty',
    (name) => {
      expect(problems({ ...PRODUCTION, [name]: undefined })).toHaveLength(1);
      expect(problems({ ...PRODUCTION, [name]: '' })).toHaveLength(1);
    },
  );

  it('refuses a second region without a database or a root key of its own', () => {
    const second = (rest: object) => ({
      ...PRODUCTION,
      STRONGROOM_REGIONS: JSON.stringify([{ name: 'a' }, { name: 'b', ...rest }]),
    });
    expect(problems(second({ rootKey: keyOf(2) }))[0]).toMatch(/^DATABASE_URL/);
    expect(problems(second({ databaseUrl: 'postgres://b' }))[0]).toMatch(/^STRONGROOM_ROOT_KEY/);
    const config = readConfig(second({ databaseUrl: 'postgres://b', rootKey: keyOf(2) }));
    expect(config.regions.map(({ databaseUrl }) => databaseUrl)).toEqual([
      'postgres://db/strongroom',
      'postgres://b',
    ]);
    const [one, two] = config.regions.map(({ rootKeys }) => rootKeys?.[0]?.id);
    expect(one).not.toBe(two);
  });

  it('refuses GraphiQL, and has it off', () => {
    expect(about(problems({ ...PRODUCTION, STRONGROOM_GRAPHIQL: 'true' }))).toEqual(['STRONGROOM_GRAPHIQL']);
    expect(readConfig(PRODUCTION).graphiql).toBe(false);
  });

  it('refuses an issuer whose keys come over plain http', () => {
    const issuers = JSON.parse(ISSUERS) as [object];
    const STRONGROOM_ISSUERS = JSON.stringify([{ ...issuers[0], jwksUri: 'http://localhost/jwks' }]);
    expect(about(problems({ ...PRODUCTION, STRONGROOM_ISSUERS }))).toEqual(['STRONGROOM_ISSUERS']);
  });

  it('refuses a KMS provider over plain http, on loopback too', () => {
    const provider = { name: 'a', kind: 'transit', address: 'http://127.0.0.1:8200', token: CANARY };
    const STRONGROOM_KMS_PROVIDERS = JSON.stringify([{ ...provider, externalKeys: {} }]);
    expect(problems({ ...PRODUCTION, STRONGROOM_KMS_PROVIDERS })).toEqual([
      'STRONGROOM_KMS_PROVIDERS 0 address must be https',
    ]);
    expect(readConfig({ STRONGROOM_KMS_PROVIDERS }).kmsProviders).toMatchObject([{ name: 'a' }]);
  });

  it('starts with what it requires, on any host', () => {
    expect(readConfig(PRODUCTION)).toMatchObject({ production: true, host: '0.0.0.0' });
  });
});

describe('development', () => {
  it.each(['0.0.0.0', '::', '192.168.0.1', 'example.com', '127.0.0.1.example.com', ' localhost'])(
    'refuses the host %j while the development issuer makes the tokens',
    (HOST) => {
      expect(about(problems({ HOST }))).toEqual(['HOST']);
      expect(readConfig({ HOST, STRONGROOM_ISSUERS: ISSUERS }).host).toBe(HOST);
    },
  );

  it('needs nothing', () => {
    const config = readConfig({ PATH: '/bin', HOME: '/root' });
    expect(config).toEqual({
      production: false,
      host: '127.0.0.1',
      port: 4000,
      workers: 1,
      dataDir: '.strongroom',
      regions: [{ name: 'local-1', databaseUrl: null, rootKeys: null }],
      issuers: null,
      kmsProviders: [],
      trustedProxies: [],
      graphiql: true,
      corsOrigins: [],
      logLevel: 'info',
      auditRetentionDays: null,
    });
    expect(Object.isFrozen(config)).toBe(true);
    for (const HOST of ['127.0.0.1', '::1', 'localhost', ''])
      expect(() => readConfig({ HOST })).not.toThrow();
  });

  it('takes an empty variable for one that is not set', () => {
    expect(readConfig({ PORT: '', STRONGROOM_REGIONS: '', STRONGROOM_LOG_LEVEL: '' })).toEqual(
      readConfig({}),
    );
  });

  it('reads the lists and the limits of numbers', () => {
    const config = readConfig({
      PORT: '65535',
      STRONGROOM_TRUSTED_PROXIES: ' 10.0.0.0/8, 2001:db8::/32 ,',
      STRONGROOM_CORS_ORIGINS: 'https://a.example,http://localhost:3000',
      STRONGROOM_GRAPHIQL: 'false',
    });
    expect(config.port).toBe(65_535);
    expect(config.trustedProxies).toHaveLength(2);
    expect(config.corsOrigins).toEqual(['https://a.example', 'http://localhost:3000']);
    expect(config.graphiql).toBe(false);
    expect(readConfig({ PORT: '0' }).port).toBe(0);
    for (const workers of [1, 9, 10, 64])
      expect(readConfig({ STRONGROOM_WORKERS: String(workers) }).workers).toBe(workers);
  });
});

describe('root keys', () => {
  it.each([
    ['nothing', ''],
    ['separators alone', ' ,\n'],
    ['31 bytes', Buffer.alloc(31).toString('base64')],
    ['33 bytes', Buffer.alloc(33).toString('base64')],
    ['hexadecimal', 'a5'.repeat(32)],
    ['the URL-safe alphabet', Buffer.alloc(32, 0xff).toString('base64url')],
    ['missing padding', keyOf(1).slice(0, -1)],
    ['an empty id', `:${keyOf(1)}`],
    ['an id of 65 characters', `${'a'.repeat(65)}:${keyOf(1)}`],
    ['an id with a space', `a b:${keyOf(1)}`],
    ['one id twice', `a:${keyOf(1)},a:${keyOf(2)}`],
    ['one key twice without ids', `${keyOf(1)},${keyOf(1)}`],
  ])('are refused as %s, without being told', (_what, text) => {
    expect(() => parseRootKeys(text)).toThrow(/^must /);
    expect(() => parseRootKeys(text)).not.toThrow(keyOf(1).slice(0, 20));
  });

  it('are one or several, newest first, with ids or without', () => {
    const keys = parseRootKeys(` new:${keyOf(2)} ,\n${keyOf(1)}\n`);
    expect(keys.map(({ key }) => key.revealBase64())).toEqual([keyOf(2), keyOf(1)]);
    expect(keys[0]?.id).toBe('new');
    expect(keys[1]?.id).toMatch(/^[0-9a-f]{16}$/);
    expect(parseRootKeys(keyOf(1))[0]?.id).toBe(keys[1]?.id);
    expect(JSON.stringify(keys)).not.toContain(keyOf(1));
  });

  it('come from a file, or are refused without its name', () => {
    const file = join(mkdtempSync(join(tmpdir(), 'strongroom-')), CANARY);
    expect(problems({ STRONGROOM_ROOT_KEY_FILE: file })[0]).toMatch(/names a file that cannot be read$/);
    writeFileSync(file, `${CANARY}\n`);
    expect(problems({ STRONGROOM_ROOT_KEY_FILE: file })).toHaveLength(1);
    writeFileSync(file, `${keyOf(1)}\n`);
    expect(problems({ STRONGROOM_ROOT_KEY_FILE: file, STRONGROOM_ROOT_KEY: keyOf(1) })).toHaveLength(1);
    const [region] = readConfig({ STRONGROOM_ROOT_KEY_FILE: file }).regions;
    expect(region?.rootKeys?.[0]?.key.revealBase64()).toBe(keyOf(1));
  });
});
