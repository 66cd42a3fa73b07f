import { createPublicKey } from 'node:crypto';
import type { JWK } from 'jose';
import { z } from 'zod';
import { ALGORITHMS, type Algorithm } from './algorithms.ts';

/** Members that only private and symmetric keys have (RFC 7518 section 6; `priv` of the AKP key type). */
const SECRET_MEMBERS = ['d', 'k', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'priv'];
const MIN_RSA_BITS = 2048;

/** A JSON Web Key Set (RFC 7517) of public keys alone. No message quotes a key. */
export const inlineKeySet = z.looseObject(
  {
    keys: z
      .array(
        z
          .custom<JWK>((value) => typeof value === 'object' && value !== null && !Array.isArray(value), {
            error: 'must be a JSON Web Key',
            abort: true,
          })
          .superRefine((jwk, context) => {
            const problem = publicKeyProblem(jwk);
            if (problem !== null) context.addIssue(problem);
          }),
        'must be a list of JSON Web Keys',
      )
      .min(1, 'must hold at least one key'),
  },
  'must be a JSON Web Key Set: {"keys": [...]}',
);

function publicKeyProblem(jwk: JWK): string | null {
  if (SECRET_MEMBERS.some((member) => Object.hasOwn(jwk, member)) || jwk.kty === 'oct') {
    return 'must be a public key: private and symmetric keys do not belong in a configuration';
  }
  try {
    const { modulusLength } = createPublicKey({ key: jwk, format: 'jwk' }).asymmetricKeyDetails ?? {};
    if (modulusLength !== undefined && modulusLength < MIN_RSA_BITS) {
      return `must be an RSA key of at least ${MIN_RSA_BITS} bits`;
    }
    return null;
  } catch {
    return 'must be a valid public JSON Web Key of the type EC, RSA or OKP';
  }
}

/** Whether a token that is signed with one of the algorithms could be verified with this key. */
export function isKeyFor(jwk: JWK, algorithms: readonly Algorithm[]): boolean {
  const kind = jwk.crv === undefined ? jwk.kty : `${jwk.kty ?? ''} ${jwk.crv}`;
  return (
    (jwk.use === undefined || jwk.use === 'sig') &&
    (jwk.key_ops === undefined || (Array.isArray(jwk.key_ops) && jwk.key_ops.includes('verify'))) &&
    algorithms.some((name) => ALGORITHMS[name] === kind && (jwk.alg === undefined || jwk.alg === name))
  );
}
