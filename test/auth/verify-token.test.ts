import { createHmac, createPublicKey } from 'node:crypto';
import { CompactEncrypt, exportJWK, generateKeyPair, SignJWT } from 'jose';
import { beforeAll, describe, expect, it } from 'vitest';
import { createTokenVerifier, type VerifiedToken } from '../../src/auth/verify-token.ts';
import {
  base64url,
  entry,
  ISSUER,
  issuers,
  makeKey,
  NOW,
  NOW_SECONDS,
  refusal,
  type TestKey,
} from './test-issuer.ts';

let key: TestKey;
let verify: (token: string, at?: Date) => Promise<VerifiedToken>;

beforeAll(async () => {
  key = await makeKey();
  verify = createTokenVerifier(issuers(entry(key)));
});

const refused = (token: string, at = NOW) => refusal(verify(token, at));
const payload = () => ({
  iss: ISSUER,
  aud: 'strongroom',
  sub: 'alice',
  exp: NOW_SECONDS + 600,
  organisation: 'acme',
});

describe('algorithms', () => {
  it('a public key does not serve as an HMAC secret, in any encoding (CVE-2023-48223)', async () => {
    const spki = createPublicKey({ key: key.publicJwk, format: 'jwk' });
    const pem = spki.export({ format: 'pem', type: 'spki' }) as string;
    const secrets = [
      Buffer.from(pem),
      Buffer.from(pem.trim()),
      spki.export({ format: 'der', type: 'spki' }),
      Buffer.from(JSON.stringify(key.publicJwk)),
      Buffer.from(key.publicJwk.x ?? '', 'base64url'),
    ];
    for (const secret of secrets) {
      for (const alg of ['HS256', 'HS384', 'HS512']) {
        const input = `${base64url({ alg, kid: 'key-1' })}.${base64url(payload())}`;
        const mac = createHmac(alg.replace('HS', 'sha'), secret).update(input).digest('base64url');
        expect(await refused(`${input}.${mac}`)).toBe('ERR_JOSE_ALG_NOT_ALLOWED');
      }
    }
  });

  it.for(['none', 'None', 'NONE', 'nOnE', ''])('an unsigned token is refused: alg "%s"', async (alg) => {
    const input = `${base64url({ alg })}.${base64url(payload())}`;
    expect(await refused(`${input}.`)).toBe('compact serialization');
    expect(await refused(input)).toBe('compact serialization');
    expect(await refused(`${input}.AA`)).toMatch(/^ERR_JOSE_ALG_NOT_ALLOWED|ERR_JWS_INVALID$/);
    expect(await refused(key.signRaw({ alg }, payload()))).toMatch(
      /^ERR_JOSE_ALG_NOT_ALLOWED|ERR_JWS_INVALID$/,
    );
  });

  it.for([
    ' ES256',
    'ES256 ',
    '\tES256',
    '\nHS256',
    'es256',
    'ES256\u0000',
    'ES384',
    'RS256',
    'ES512',
    'ES256K',
  ])('an algorithm is compared exactly, so nothing is trimmed or folded (CVE-2026-34950): %j', async (alg) =>
    expect(await refused(key.token({}, { alg }))).toMatch(/^ERR_/),
  );

  it.for([undefined, null, 5, ['ES256'], { a: 1 }])(
    'an algorithm that is no string is refused: %j',
    async (alg) => expect(await refused(key.token({}, { alg }))).toBe('ERR_JWS_INVALID'),
  );

  it('an algorithm that the issuer is not configured with is refused, although its key would fit', async () => {
    const rsa = await generateKeyPair('RS256');
    const jwk = await exportJWK(rsa.publicKey);
    const token = await new SignJWT(payload()).setProtectedHeader({ alg: 'RS256' }).sign(rsa.privateKey);
    const only = (algorithms: string[]) =>
      createTokenVerifier(issuers({ ...entry(key), jwks: { keys: [jwk] }, algorithms }))(token, NOW);
    expect(await refusal(only(['PS256', 'RS512']))).toBe('ERR_JOSE_ALG_NOT_ALLOWED');
    await expect(only(['RS256'])).resolves.toMatchObject({ subject: 'alice' });
  });

  it.for(['ES256', 'ES384', 'PS256', 'RS256', 'EdDSA'])(
    'each default algorithm verifies: %s',
    async (alg) => {
      const pair = await generateKeyPair(alg);
      const jwks = { keys: [await exportJWK(pair.publicKey)] };
      const token = await new SignJWT(payload()).setProtectedHeader({ alg }).sign(pair.privateKey);
      const verified = await createTokenVerifier(issuers({ ...entry(key), jwks }))(token, NOW);
      expect(verified.subject).toBe('alice');
    },
  );
});

describe('form', () => {
  it.for([' ', '\n', '\t', '\u00a0', '\ufeff'])(
    'whitespace around or within a token is refused: %j',
    async (space) => {
      const token = key.token();
      const [header = '', ...rest] = token.split('.');
      for (const altered of [
        space + token,
        token + space,
        [header + space, ...rest].join('.'),
        token.replace('.', space),
      ]) {
        expect(await refused(altered)).toBe('compact serialization');
      }
    },
  );

  it('padding and the other base64 alphabet are refused', async () => {
    expect(await refused(`${key.token()}=`)).toBe('compact serialization');
    expect(await refused(key.token().replace(/[A-Za-z]$/, '+'))).toBe('compact serialization');
  });

  it('a JWE is refused, even around a token that is in order (CVE-2023-51774, CVE-2022-36083)', async () => {
    const pair = await generateKeyPair('RSA-OAEP-256');
    const nested = (header: { alg: string; enc: string; cty: string; zip?: string }) =>
      new CompactEncrypt(Buffer.from(key.token())).setProtectedHeader(header).encrypt(pair.publicKey);
    expect(await refused(await nested({ alg: 'RSA-OAEP-256', enc: 'A256GCM', cty: 'JWT' }))).toBe(
      'compact serialization',
    );
  });

  it('a token inside a token is refused, although both are signed', async () => {
    expect(await refused(key.signRaw({ alg: 'ES256', cty: 'JWT', kid: 'key-1' }, key.token()))).toBe(
      'ERR_JWT_INVALID',
    );
  });

  it('the JSON serialisation of a JWS is refused', async () => {
    const [header, body, signature] = key.token().split('.');
    expect(await refused(JSON.stringify({ protected: header, payload: body, signature }))).toBe(
      'compact serialization',
    );
  });

  it('a token above 8 KiB is refused before anything of it is read (CVE-2024-28176)', async () => {
    const padded = (length: number) => key.token({ padding: 'x'.repeat(length) });
    let length = 5_000;
    while (padded(length + 1).length <= 8192) length += 1;
    await expect(verify(padded(length), NOW)).resolves.toMatchObject({ subject: 'alice' });
    expect(padded(length + 3).length).toBeGreaterThan(8192);
    expect(await refused(padded(length + 3))).toBe('size');
    expect(await refused('x'.repeat(10_000_000))).toBe('size');
  });

  it.for([
    ...[
      '',
      'JWE',
      'JOSE',
      'id+jwt',
      'dpop+jwt',
      'logout+jwt',
      'secevent+jwt',
      'at+jwtx',
      'xat+jwt',
      'text/jwt',
    ],
    ...['application/', 'application/application/jwt', ' jwt', 'jwt\n', null, 5, ['JWT'], { jwt: 1 }],
  ])('a token of another type is refused: typ %j', async (typ) =>
    expect(await refused(key.token({}, { typ }))).toBe('typ'),
  );

  it.for([
    undefined,
    'JWT',
    'jwt',
    'at+jwt',
    'AT+JWT',
    'application/jwt',
    'application/at+JWT',
    'APPLICATION/AT+JWT',
  ])('an access token is accepted in each spelling of its type: %j', async (typ) => {
    await expect(verify(key.token({}, { typ }), NOW)).resolves.toMatchObject({ subject: 'alice' });
  });

  it.for([
    { crit: ['b64'], b64: true },
    { crit: ['b64'], b64: false },
    { crit: ['exp'], exp: 1 },
    { crit: ['unknown'], unknown: 1 },
    { crit: [] },
    { crit: null },
  ])('a critical extension is refused, none is understood: %j', async (header) =>
    expect(await refused(key.token({}, header))).toBe('crit'),
  );

  it.for(['"text"', '5', 'null', '[]', '[{}]', '{', '', '\ufeff{}'])(
    'signed content that is no JSON object is refused: %j',
    async (content) =>
      expect(await refused(key.signRaw({ alg: 'ES256' }, content))).toMatch(
        /^ERR_JWT_INVALID|compact serialization|iss$/,
      ),
  );
});

describe('keys', () => {
  it('a key in the header is not used (jwk, x5c), and no URL in it is visited (jku, x5u)', async () => {
    const attacker = await makeKey();
    const header = { jwk: attacker.publicJwk, x5c: ['AAAA'], kid: 'key-1' };
    expect(await refused(attacker.token({}, header))).toBe('ERR_JWS_SIGNATURE_VERIFICATION_FAILED');
    expect(await refused(attacker.token({}, { ...header, kid: undefined }))).toBe(
      'ERR_JWS_SIGNATURE_VERIFICATION_FAILED',
    );
    await expect(verify(key.token({}, header), NOW)).resolves.toMatchObject({ subject: 'alice' });
  });

  it.for(['unknown', '', 'KEY-1', 'key-1 ', '../key-1', '__proto__', 5, null, ['key-1']])(
    'a kid that the issuer does not publish is refused: %j',
    async (kid) => expect(await refused(key.token({}, { kid }))).toBe('ERR_JWKS_NO_MATCHING_KEY'),
  );

  it('without a kid, a token is accepted when one key fits and refused when several do', async () => {
    const other = await makeKey('key-2');
    const both = createTokenVerifier(
      issuers(entry(key, { jwks: { keys: [key.publicJwk, other.publicJwk] } })),
    );
    const token = key.token({}, { kid: undefined });
    expect(await refusal(both(token, NOW))).toBe('ERR_JWKS_MULTIPLE_MATCHING_KEYS');
    await expect(verify(token, NOW)).resolves.toMatchObject({ subject: 'alice' });
  });

  it('a token with one character of header or payload changed is refused', async () => {
    const token = key.token();
    const signedLength = token.lastIndexOf('.');
    for (let index = 0; index < signedLength; index += 1) {
      if (token[index] === '.') continue;
      await refused(token.slice(0, index) + (token[index] === 'A' ? 'B' : 'A') + token.slice(index + 1));
    }
  });
});

describe('issuer', () => {
  it.for([
    undefined,
    null,
    '',
    5,
    [ISSUER],
    `${ISSUER}/`,
    ISSUER.toUpperCase(),
    ` ${ISSUER}`,
    'https://idp',
    '__proto__',
  ])('an issuer is one of the configured, character for character: %j', async (iss) =>
    expect(await refused(key.token({ iss }))).toBe('iss'),
  );

  it('a key that two issuers publish under one kid verifies only for the issuer that holds it (CVE-2020-16250, CVE-2025-11621, CVE-2025-59048)', async () => {
    const other = await makeKey('key-1');
    const each = { organisations: '*', roles: '*' };
    const both = createTokenVerifier(
      issuers(entry(key, each), entry(other, { ...each, issuer: 'https://other.example' })),
    );
    // The first calls fill the caches.
    await expect(both(key.token(), NOW)).resolves.toMatchObject({ issuer: { issuer: ISSUER } });
    await expect(both(other.token({ iss: 'https://other.example' }), NOW)).resolves.toMatchObject({
      subject: 'alice',
    });
    for (const forged of [key.token({ iss: 'https://other.example' }), other.token()]) {
      expect(await refusal(both(forged, NOW))).toBe('ERR_JWS_SIGNATURE_VERIFICATION_FAILED');
    }
  });
});

describe('audience (CVE-2024-5798)', () => {
  it.for([
    ...[
      undefined,
      null,
      '',
      5,
      true,
      {},
      { strongroom: true },
      [],
      [[]],
      [['strongroom']],
      ['other'],
      'other',
    ],
    ...['strong', 'strongroom ', 'strongroom2', 'STRONGROOM', 'strongroom,other', 'strongroom other', '*'],
    ...[
      ['strongroom', 5],
      ['strongroom', null],
      ['strongroom-2', 'strong'],
    ],
  ])('a token for somebody else is refused: aud %j', async (aud) =>
    expect(await refused(key.token({ aud }))).toBe('aud'),
  );

  it.for(['strongroom', ['strongroom'], ['other', 'strongroom'], 'vault'])(
    'a token that names one of the configured audiences is accepted: aud %j',
    async (aud) => {
      const two = createTokenVerifier(issuers(entry(key, { audience: ['strongroom', 'vault'] })));
      await expect(two(key.token({ aud }), NOW)).resolves.toMatchObject({ subject: 'alice' });
    },
  );
});

describe('time (CVE-2021-32923, CVE-2020-25816)', () => {
  const withSkew = (clockSkewSeconds: number) =>
    createTokenVerifier(issuers(entry(key, { clockSkewSeconds })));

  it.for([0, 30, 60])('exp has passed exactly when the skew is over: %i s', async (skew) => {
    const check = withSkew(skew);
    expect(await refusal(check(key.token({ exp: NOW_SECONDS - skew - 1 }), NOW))).toBe('exp');
    expect(await refusal(check(key.token({ exp: NOW_SECONDS - skew }), NOW))).toBe('exp');
    const last = await check(key.token({ exp: NOW_SECONDS - skew + 1 }), NOW);
    expect(last.expiresAt).toEqual(new Date(NOW.getTime() - skew * 1000 + 1000));
  });

  it.for([0, 30, 60])('nbf and iat lie at most the skew ahead: %i s', async (skew) => {
    const check = withSkew(skew);
    for (const claim of ['nbf', 'iat']) {
      expect(await refusal(check(key.token({ [claim]: NOW_SECONDS + skew + 1 }), NOW))).toBe(claim);
      await expect(check(key.token({ [claim]: NOW_SECONDS + skew }), NOW)).resolves.toMatchObject({
        subject: 'alice',
      });
    }
  });

  it.for([undefined, null, '', '9999999999', true, [], [9_999_999_999], {}, 0, -1, 8.64e12 + 1])(
    'an exp that is missing, no number, or no date is refused: %j',
    async (exp) => expect(await refused(key.token({ exp }))).toBe('exp'),
  );

  it('a number too large for JSON does not make a token that never expires', async () => {
    const content = JSON.stringify({ ...payload(), exp: 0 }).replace('"exp":0', '"exp":1e400');
    expect(await refused(key.signRaw({ alg: 'ES256' }, content))).toBe('exp');
  });

  it.for(['iat', 'nbf'])('a time that is no number is refused: %s', async (claim) => {
    for (const value of [null, '1', true, [], {}])
      expect(await refused(key.token({ [claim]: value }))).toBe(claim);
  });

  it('the clock is asked anew for each token', async () => {
    expect(await refusal(verify(key.token()))).toBe('exp');
    const exp = Math.floor(Date.now() / 1000) + 60;
    await expect(verify(key.token({ exp }))).resolves.toMatchObject({ subject: 'alice' });
  });
});

describe('subject', () => {
  it.for([
    undefined,
    null,
    '',
    5,
    true,
    [],
    ['alice'],
    {},
    'a\u0000',
    'a\nb',
    '\u007f',
    '\u0085',
    'x'.repeat(256),
  ])(
    'a subject that is missing, no string, empty, too long or has control characters is refused: %j',
    async (sub) => expect(await refused(key.token({ sub }))).toBe('sub'),
  );

  it('a lone surrogate is refused: in UTF-8 two such subjects would become one (CVE-2025-6004, CVE-2025-6013)', async () => {
    for (const sub of ['\ud800', 'a\udfff', '\udc00\ud800'])
      expect(await refused(key.token({ sub }))).toBe('sub');
  });

  it.for([
    'x'.repeat(255),
    'auth0|123',
    'system:serviceaccount:ns:name',
    'Ünï 🔑',
    '__proto__',
    'constructor',
  ])('a subject is kept as it is: %j', async (sub) =>
    expect((await verify(key.token({ sub }), NOW)).subject).toBe(sub),
  );
});

it('a refusal tells one text, and the log nothing of the token', async () => {
  const canary = 'canary-7f3a';
  const tokens = [
    key.token({ aud: canary }),
    key.token({ exp: canary }),
    key.token({ iss: canary }),
    key.token({ sub: { canary } }),
    key.token({}, { kid: canary }),
    key.token({}, { alg: canary }),
    key.token({}, { typ: canary }),
    key.token({}, { crit: [canary] }),
    `${canary} ${key.token()}`,
    `${canary}.${canary}.${canary}`,
    key.signRaw({ alg: 'ES256', kid: 'key-1' }, `{"${canary}`),
  ];
  for (const token of tokens) {
    const error: unknown = await verify(token, NOW).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'UNAUTHENTICATED', message: 'A valid access token is required.' });
    const { cause } = error as Error;
    expect(
      JSON.stringify([error, cause, String(error), String(cause), (cause as Error).cause]),
    ).not.toContain(canary);
  }
});

it('a token in order gives its issuer, subject, claims and end', async () => {
  const verified = await verify(key.token({ roles: ['a'] }), NOW);
  expect(verified).toEqual({
    issuer: issuers(entry(key))[0],
    subject: 'alice',
    claims: { ...payload(), iat: NOW_SECONDS, roles: ['a'] },
    expiresAt: new Date('2026-03-01T12:10:00Z'),
    stillHolds: expect.any(Function) as () => boolean,
  });
});
