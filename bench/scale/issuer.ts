import { exportJWK, generateKeyPair, SignJWT } from 'jose';

export const ORGANISATION = 'bench';
const ISSUER = 'https://issuer.bench.example';
const AUDIENCE = 'strongroom-bench';

/** Who issues the tokens of a run: a key made for it, which the services are told as an inline key set. */
export interface Issuer {
  /** For STRONGROOM_ISSUERS. */
  readonly configuration: string;
  /** A token of the organisation for twelve hours. */
  token(subject: string, role: string): Promise<string>;
}

export async function openIssuer(): Promise<Issuer> {
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  const jwk = { ...(await exportJWK(publicKey)), alg: 'ES256', kid: 'bench', use: 'sig' };
  const entry = { issuer: ISSUER, audience: AUDIENCE, jwks: { keys: [jwk] } };
  return {
    configuration: JSON.stringify([{ ...entry, organisations: [ORGANISATION], roles: '*' }]),
    token: (subject, role) =>
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
