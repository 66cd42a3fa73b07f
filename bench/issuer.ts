/** An issuer of access tokens whose key lives as long as the run. */
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { ORGANISATION } from './dataset.ts';

export const ISSUER = 'https://bench.example.com';
const AUDIENCE = 'strongroom';

export interface BenchIssuer {
  /** For STRONGROOM_ISSUERS. */
  readonly configuration: string;
  mint(subject: string, role: string): Promise<string>;
}

export async function openIssuer(): Promise<BenchIssuer> {
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  const jwk = { ...(await exportJWK(publicKey)), kid: 'bench', alg: 'ES256', use: 'sig' };
  return {
    configuration: JSON.stringify([{ issuer: ISSUER, audience: AUDIENCE, jwks: { keys: [jwk] } }]),
    mint: (subject, role) =>
      new SignJWT({ organisation: ORGANISATION, roles: [role] })
        .setProtectedHeader({ alg: 'ES256', kid: 'bench' })
        .setIssuer(ISSUER)
        .setAudience(AUDIENCE)
        .setSubject(subject)
        .setIssuedAt()
        .setExpirationTime('12h')
        .sign(privateKey),
  };
}
