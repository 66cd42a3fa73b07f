import { createPrivateKey, sign, type KeyObject } from 'node:crypto';
import { exportJWK, generateKeyPair, type JWK } from 'jose';
import { expect } from 'vitest';
import { RequestError } from '../../src/errors.ts';
import type { IssuerConfig } from '../../src/auth/issuer-config.ts';
import { issuerListSchema } from '../../src/auth/issuer-list.ts';

/** The instant at which the tests' tokens are issued. */
export const NOW = new Date('2026-03-01T12:00:00Z');
export const NOW_SECONDS = NOW.getTime() / 1000;
export const ISSUER = 'https://idp.example';

export const base64url = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

export interface TestKey {
  readonly publicJwk: JWK;
  readonly privateKey: KeyObject;
  /** Signs as ES256 whatever the header says; a string payload is taken as it is. Undefined members are left out. */
  readonly signRaw: (header: object, payload: unknown) => string;
  /** A token that is in order, with these members in place of its own. */
  readonly token: (claims?: object, header?: object) => string;
}

export async function makeKey(kid = 'key-1'): Promise<TestKey> {
  const pair = await generateKeyPair('ES256', { extractable: true });
  const privateKey = createPrivateKey({ key: await exportJWK(pair.privateKey), format: 'jwk' });
  const signRaw = (header: object, payload: unknown) => {
    const input = `${base64url(header)}.${base64url(payload)}`;
    const signature = sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' });
    return `${input}.${signature.toString('base64url')}`;
  };
  return {
    publicJwk: { ...(await exportJWK(pair.publicKey)), kid },
    privateKey,
    signRaw,
    token: (claims, header) =>
      signRaw(
        { alg: 'ES256', typ: 'at+jwt', kid, ...header },
        {
          iss: ISSUER,
          aud: 'strongroom',
          sub: 'alice',
          iat: NOW_SECONDS,
          exp: NOW_SECONDS + 600,
          organisation: 'acme',
          ...claims,
        },
      ),
  };
}

/** Checks entries as STRONGROOM_ISSUERS is checked outside production. */
export const issuers = (...entries: readonly object[]): IssuerConfig[] =>
  issuerListSchema(false).parse(entries);

export const entry = (key: TestKey, members?: object): object => ({
  issuer: ISSUER,
  audience: 'strongroom',
  jwks: { keys: [key.publicJwk] },
  ...members,
});

/** Asserts that the attempt is refused with the one public text; returns the check that the log is told. */
export async function refusal(attempt: Promise<unknown>): Promise<string> {
  const error: unknown = await attempt.then(
    () => 'accepted',
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(RequestError);
  expect(error).toMatchObject({ code: 'UNAUTHENTICATED', message: 'A valid access token is required.' });
  expect(Object.keys(error as object).sort()).toEqual(['code', 'name']);
  return ((error as Error).cause as Error).message.replace('failed check: ', '');
}
