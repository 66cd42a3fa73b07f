/**
 * Every signature algorithm that an issuer may be configured with, and the kind of key it takes: `kty`, and `crv` where
 * the algorithm fixes it (RFC 7518 section 3.1, RFC 8037, RFC 9864). No symmetric one: whoever can verify could sign.
 */
export const ALGORITHMS = {
  ES256: 'EC P-256',
  ES384: 'EC P-384',
  ES512: 'EC P-521',
  PS256: 'RSA',
  PS384: 'RSA',
  PS512: 'RSA',
  RS256: 'RSA',
  RS384: 'RSA',
  RS512: 'RSA',
  EdDSA: 'OKP Ed25519',
  Ed25519: 'OKP Ed25519',
} as const;

export type Algorithm = keyof typeof ALGORITHMS;

export const DEFAULT_ALGORITHMS: readonly Algorithm[] = ['ES256', 'ES384', 'PS256', 'RS256', 'EdDSA'];
