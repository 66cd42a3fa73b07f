import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { generateKeyPair, exportJWK } from 'jose';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createAuthenticator } from '../../src/auth/authenticate.ts';
import { openDevelopmentIssuer } from '../../src/auth/development-issuer.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'strongroom-auth-'));
});
afterEach(() => rm(directory, { recursive: true }));

const CLAIMS = { organisation: 'acme', roles: ['strongroom:admin'], subject: 'developer', ttlSeconds: 60 };
const run = promisify(execFile);
const SCRIPT = new URL('../../scripts/token.ts', import.meta.url).pathname;

function token(args: readonly string[], env: object = {}) {
  const clean = { PATH: process.env['PATH'], STRONGROOM_DATA_DIR: directory, ...env };
  return run(process.execPath, [SCRIPT, ...args], { env: clean });
}
const principalOf = async (bearer: string, ...project: string[]) => {
  const { config } = await openDevelopmentIssuer(directory);
  return createAuthenticator([config])({ authorization: [`Bearer ${bearer}`], project });
};

describe('openDevelopmentIssuer', () => {
  it('a file that holds no ES256 private key is told, not replaced and not quoted', async () => {
    const file = join(directory, 'development-issuer.json');
    const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
    const key = JSON.stringify(await exportJWK(privateKey));
    const other = await generateKeyPair('ES384', { extractable: true });
    for (const content of [
      ...['', '{', key.slice(0, -3), `${key}x`, '[]', 'null', '{"kty":"oct","k":"c2VjcmV0"}'],
      JSON.stringify(await exportJWK(publicKey)),
      JSON.stringify(await exportJWK(other.privateKey)),
      JSON.stringify({ ...(await exportJWK(privateKey)), d: 'AA' }),
    ]) {
      await writeFile(file, content);
      const error: unknown = await openDevelopmentIssuer(directory).catch((reason: unknown) => reason);
      expect(String(error)).toBe(
        `Error: ${file} must hold an ES256 private key as a JWK; move it away to have a new one made`,
      );
      expect((error as Error).cause).toBeUndefined();
      expect(await readFile(file, 'utf8')).toBe(content);
    }
  });

  it('only its owner can read the key, and nothing else is left behind', async () => {
    const nested = join(directory, 'not', 'yet', 'there');
    await openDevelopmentIssuer(nested);
    expect(await readdir(nested)).toEqual(['development-issuer.json']);
    expect((await stat(join(nested, 'development-issuer.json'))).mode & 0o777).toBe(0o600);
  });

  it('the configuration holds the public key alone', async () => {
    const { config } = await openDevelopmentIssuer(directory);
    const { d } = JSON.parse(await readFile(join(directory, 'development-issuer.json'), 'utf8')) as {
      d: string;
    };
    expect(JSON.stringify(config)).not.toContain(d);
    expect(config).toMatchObject({
      issuer: 'strongroom-development',
      audience: ['strongroom'],
      algorithms: ['ES256'],
    });
  });

  it('many at once, in one process and in several, end with one key', async () => {
    const here = Array.from({ length: 20 }, () => openDevelopmentIssuer(directory));
    const there = Array.from({ length: 3 }, () => token(['--organisation', 'acme']));
    const opened = await Promise.all(here);
    expect(new Set(opened.map(({ config }) => JSON.stringify(config))).size).toBe(1);
    for (const { stdout } of await Promise.all(there)) {
      await expect(principalOf(stdout.trim())).resolves.toMatchObject({ organisation: 'acme' });
    }
    expect(await readdir(directory)).toEqual(['development-issuer.json']);
  });

  it('its tokens are accepted by the configuration that it gives, after a restart too', async () => {
    const first = await openDevelopmentIssuer(directory);
    const principal = await principalOf(await first.mint({ ...CLAIMS, projects: ['web', 'api'] }), 'api');
    expect(principal).toMatchObject({
      issuer: 'strongroom-development',
      subject: 'developer',
      organisation: 'acme',
      project: 'api',
      roles: ['strongroom:admin'],
    });
    expect(principal.expiresAt.getTime()).toBeLessThanOrEqual(Date.now() + 60_000);
  });
});

describe('npm run token', () => {
  it.for([
    { args: [], message: '--organisation must be given, for instance acme' },
    {
      args: ['--organisation', 'Acme'],
      message: '--organisation must be 1 to 63 of a-z 0-9 and -, and not begin with -',
    },
    {
      args: ['--organisation', ''],
      message: '--organisation must be 1 to 63 of a-z 0-9 and -, and not begin with -',
    },
    { args: ['--organisation=a', '--organisation=b'], message: '--organisation must be given once' },
    {
      args: ['--organisation=a', '--project='],
      message: '--project must be 1 to 63 of a-z 0-9 and -, and not begin with -',
    },
    {
      args: ['--organisation=a', '--projects=b,'],
      message: '--projects must be 1 to 63 of a-z 0-9 and -, and not begin with -',
    },
    {
      args: ['--organisation=a', '--project=b', '--projects=c'],
      message: '--project must be one of --projects',
    },
    {
      args: ['--organisation=a', '--roles=b,,c'],
      message: '--roles must be 1 to 128 characters, none of them a control character',
    },
    {
      args: ['--organisation=a', '--subject='],
      message: '--subject must be 1 to 255 characters, none of them a control character',
    },
    ...['31d', '721h', '0s', '12', 'h', '1w', '-1h', '1.5h', '1e3s', ' 1h'].map((ttl) => ({
      args: ['--organisation=a', `--ttl=${ttl}`],
      message: '--ttl must be like 15m, 12h or 7d, and at most 30d',
    })),
    { args: ['--organization=a'], message: "Unknown option '--organization': see --help" },
    {
      args: ['--organisation=a', 'stray'],
      message: "Unexpected argument 'stray': see --help",
    },
  ])('a mistake is told by flag and rule, and gives no token: $args', async ({ args, message }) => {
    await expect(token(args)).rejects.toMatchObject({ code: 1, stdout: '', stderr: `token: ${message}\n` });
    expect(await readdir(directory)).toEqual([]);
  });

  it('there is no development issuer in production or beside a configured one', async () => {
    const absent = 'so the development issuer does not exist: ask your identity provider for a token';
    for (const [env, why] of [
      [{ NODE_ENV: 'production' }, 'NODE_ENV is production'],
      [{ STRONGROOM_ISSUERS: '[]' }, 'STRONGROOM_ISSUERS is set'],
    ] as const) {
      await expect(token(['--organisation', 'acme'], env)).rejects.toMatchObject({
        code: 1,
        stdout: '',
        stderr: `token: ${why}, ${absent}\n`,
      });
    }
    expect(await readdir(directory)).toEqual([]);
  });

  it('prints the token alone, as its flags say', async () => {
    const flags = [
      '--organisation',
      'acme',
      '--projects',
      'web,api',
      '--roles',
      'a,b',
      '--roles',
      'c',
      '--subject',
      'dev',
    ];
    const { stdout, stderr } = await token([...flags, '--project', 'web', '--ttl', '30d']);
    expect(stdout).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/);
    expect(stderr).toBe('');
    const principal = await principalOf(stdout.trim());
    expect(principal).toMatchObject({
      organisation: 'acme',
      project: 'web',
      roles: ['a', 'b', 'c'],
      subject: 'dev',
    });
    expect(Number(principal.claims['exp']) - Number(principal.claims['iat'])).toBe(30 * 86_400);
  });

  it('without more flags: the organisation, no roles, the subject developer, twelve hours', async () => {
    const principal = await principalOf((await token(['--organisation', 'acme'])).stdout.trim());
    expect(principal).toMatchObject({ organisation: 'acme', project: '', roles: [], subject: 'developer' });
    expect(Number(principal.claims['exp']) - Number(principal.claims['iat'])).toBe(12 * 3_600);
  });
});
