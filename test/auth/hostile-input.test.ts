import fc from 'fast-check';
import { beforeAll, expect, it } from 'vitest';
import { createAuthenticator, type Authenticate } from '../../src/auth/authenticate.ts';
import type { Principal } from '../../src/policy/principal.ts';
import { RequestError } from '../../src/errors.ts';
import { base64url, entry, issuers, makeKey, NOW, refusal, type TestKey } from './test-issuer.ts';

let key: TestKey;
let authenticate: Authenticate;

beforeAll(async () => {
  key = await makeKey();
  authenticate = createAuthenticator(issuers(entry(key)));
});

const bearer = (token: string, ...project: string[]) =>
  authenticate({ authorization: [`Bearer ${token}`], project }, NOW);

const json = fc.oneof(
  fc.jsonValue(),
  fc.constantFrom('__proto__', 'constructor', '', 'acme', 'web', 'strongroom', 1e308, -1, null),
);
const text = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' }), fc.base64String());
const claimName = fc.constantFrom(
  ...[
    'iss',
    'aud',
    'sub',
    'exp',
    'iat',
    'nbf',
    'organisation',
    'project',
    'projects',
    'roles',
    '__proto__',
    'jti',
  ],
);
const headerName = fc.constantFrom(
  'alg',
  'typ',
  'kid',
  'crit',
  'b64',
  'jwk',
  'jku',
  'x5u',
  'x5c',
  'zip',
  'enc',
  'cty',
);

/** The rules themselves, written a second time. */
function isInOrder(principal: Principal): boolean {
  const name = /^[a-z0-9][a-z0-9-]{0,62}$/;
  return (
    principal.issuer === 'https://idp.example' &&
    principal.subject.length > 0 &&
    name.test(principal.organisation) &&
    (principal.project === '' || name.test(principal.project)) &&
    principal.roles.every((role) => typeof role === 'string' && role !== '') &&
    principal.expiresAt.getTime() > NOW.getTime() - 30_000
  );
}

async function refusedOrInOrder(attempt: Promise<Principal>): Promise<void> {
  const outcome: unknown = await attempt.catch((error: unknown) => error);
  if (outcome instanceof Error) expect(outcome).toBeInstanceOf(RequestError);
  else expect(isInOrder(outcome as Principal)).toBe(true);
}

it('no text is a credential', async () => {
  await fc.assert(
    fc.asyncProperty(text, fc.array(text, { maxLength: 2 }), async (value, project) => {
      await refusal(authenticate({ authorization: [value], project }, NOW));
      await refusal(authenticate({ authorization: [`Bearer ${value}`], project }, NOW));
    }),
    { numRuns: 500 },
  );
});

it('no three parts of JSON, well encoded but not signed, are a token', async () => {
  const part = fc.oneof(json.map(base64url), text.map(base64url), text);
  const header = fc.dictionary(headerName, json).map((members) => base64url({ alg: 'ES256', ...members }));
  await fc.assert(
    fc.asyncProperty(fc.oneof(header, part), part, part, async (...parts) => {
      await refusal(bearer(parts.join('.')));
    }),
    { numRuns: 500 },
  );
});

it('no signed JSON without the required claims is a token', async () => {
  const claims = fc.dictionary(claimName, json).map((members) => ({ ...members, exp: undefined }));
  await fc.assert(
    fc.asyncProperty(fc.oneof(json, claims), fc.dictionary(headerName, json), async (payload, header) => {
      await refusal(bearer(key.signRaw({ alg: 'ES256', ...header }, payload)));
    }),
    { numRuns: 500 },
  );
});

it('a token of a trusted issuer with any claims and any header is refused, or in order by every rule', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.dictionary(claimName, json, { maxKeys: 2 }),
      fc.dictionary(headerName, json, { maxKeys: 1 }),
      fc.array(fc.oneof(text, fc.constantFrom('web', 'acme')), { maxLength: 2 }),
      async (claims, header, project) => refusedOrInOrder(bearer(key.token(claims, header), ...project)),
    ),
    { numRuns: 1_000 },
  );
});

it('a valid token with any other signature is refused', async () => {
  const [header = '', payload = '', signature = ''] = key.token().split('.');
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 80 }), async (bytes) => {
      const forged = Buffer.from(bytes).toString('base64url');
      if (forged !== signature) await refusal(bearer(`${header}.${payload}.${forged}`));
    }),
    { numRuns: 300 },
  );
});
