import { randomUUID } from 'node:crypto';
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  calculateJwkThumbprint,
  exportJWK,
  generateKeyPair,
  importJWK,
  SignJWT,
  type CryptoKey,
  type JWK,
} from 'jose';
import { z } from 'zod';
import type { IssuerConfig } from './issuer-config.ts';
import { issuerListSchema } from './issuer-list.ts';

const ISSUER = 'strongroom-development';
const AUDIENCE = 'strongroom';
const FILE_NAME = 'development-issuer.json';

export interface DevelopmentTokenClaims {
  readonly organisation: string;
  readonly project?: string | undefined;
  readonly projects?: readonly string[] | undefined;
  readonly roles: readonly string[];
  readonly subject: string;
  readonly ttlSeconds: number;
}

export interface DevelopmentIssuer {
  readonly config: IssuerConfig;
  readonly mint: (claims: DevelopmentTokenClaims) => Promise<string>;
}

interface DevelopmentKey {
  readonly publicKey: JWK;
  readonly signingKey: CryptoKey | Uint8Array;
}

const privateKey = z.object({
  kty: z.literal('EC'),
  crv: z.literal('P-256'),
  x: z.string(),
  y: z.string(),
  d: z.string(),
});

/**
 * The issuer of a service that nobody has configured: an ES256 key (JWK) in `<dataDir>/development-issuer.json`, made on
 * first use and readable by its owner only. Throws an Error when the file holds anything else.
 */
export async function openDevelopmentIssuer(dataDir: string): Promise<DevelopmentIssuer> {
  const file = join(dataDir, FILE_NAME);
  const { publicKey, signingKey } = (await readKey(file)) ?? (await createKey(dataDir, file));
  const kid = await calculateJwkThumbprint(publicKey);
  const config = issuerListSchema(false).parse([
    {
      issuer: ISSUER,
      audience: AUDIENCE,
      jwks: { keys: [{ ...publicKey, kid, alg: 'ES256', use: 'sig' }] },
      algorithms: ['ES256'],
    },
  ])[0] as IssuerConfig;
  return {
    config,
    mint: ({ subject, ttlSeconds, ...claims }) => {
      const nowSeconds = Math.floor(Date.now() / 1000);
      return new SignJWT({ ...claims })
        .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid })
        .setIssuer(ISSUER)
        .setAudience(AUDIENCE)
        .setSubject(subject)
        .setJti(randomUUID())
        .setIssuedAt(nowSeconds)
        .setExpirationTime(nowSeconds + ttlSeconds)
        .sign(signingKey);
    },
  };
}

async function readKey(file: string): Promise<DevelopmentKey | null> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  try {
    const { d, ...publicKey } = privateKey.parse(JSON.parse(text));
    return { publicKey, signingKey: await importJWK({ ...publicKey, d }, 'ES256') };
  } catch {
    // Without the cause: a JSON syntax error quotes the text, which may be most of a private key.
    throw new Error(`${file} must hold an ES256 private key as a JWK; move it away to have a new one made`);
  }
}

/** Written beside it and linked to its name, which fails when a twin was first: whole, and the same key for both. */
async function createKey(dataDir: string, file: string): Promise<DevelopmentKey> {
  // Not 0700: the embedded Postgres may run as another user, below this directory.
  await mkdir(dataDir, { recursive: true });
  const draft = join(dataDir, `.${FILE_NAME}.${randomUUID()}`);
  try {
    const pair = await generateKeyPair('ES256', { extractable: true });
    const jwk: JWK = await exportJWK(pair.privateKey);
    await writeFile(draft, `${JSON.stringify(jwk)}\n`, { flag: 'wx', mode: 0o600, flush: true });
    await link(draft, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await rm(draft, { force: true });
  }
  const key = await readKey(file);
  if (key === null) throw new Error(`${file} was removed while it was being made`);
  return key;
}
