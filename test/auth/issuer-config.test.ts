import fc from 'fast-check';
import { exportJWK, generateKeyPair, type JWK } from 'jose';
import { generateKeyPairSync } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { issuerListSchema } from '../../src/auth/issuer-list.ts';
import { entry, issuers, makeKey, type TestKey } from './test-issuer.ts';

let key: TestKey;
let ed25519: JWK;
let rsa: JWK;

beforeAll(async () => {
  key = await makeKey();
  ed25519 = await exportJWK((await generateKeyPair('EdDSA')).publicKey);
  rsa = await exportJWK((await generateKeyPair('RS256')).publicKey);
});

/** Each problem as `path: message`; no message may quote a key. */
function problems(list: unknown, production = false): string[] {
  const result = issuerListSchema(production).safeParse(list);
  if (result.success) return [];
  const lines = result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  const { d } = key.privateKey.export({ format: 'jwk' });
  for (const material of [d, key.publicJwk.x, key.publicJwk.y]) {
    expect(JSON.stringify([lines, result.error, result.error.issues])).not.toContain(material);
  }
  return lines;
}
const oneProblem = (members: object, production = false) => problems([entry(key, members)], production);

describe('keys', () => {
  const url = (jwksUri: unknown, production = false) => oneProblem({ jwks: undefined, jwksUri }, production);

  it.for(['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'priv'])(
    'a key with a private member is refused: %s',
    (member) => {
      expect(oneProblem({ jwks: { keys: [{ ...key.publicJwk, [member]: 'AQAB' }] } })).toEqual([
        '0.jwks.keys.0: must be a public key: private and symmetric keys do not belong in a configuration',
      ]);
    },
  );

  it('a private key and a symmetric key are refused', () => {
    const rule = 'must be a public key: private and symmetric keys do not belong in a configuration';
    const privateJwk = key.privateKey.export({ format: 'jwk' });
    const lines = oneProblem({
      jwks: { keys: [key.publicJwk, privateJwk, { kty: 'oct', k: 'c2VjcmV0' }, { kty: 'oct' }] },
    });
    expect(lines).toContain(`0.jwks.keys.1: ${rule}`);
    expect(lines).toContain(`0.jwks.keys.2: ${rule}`);
    expect(lines).toContain(`0.jwks.keys.3: ${rule}`);
  });

  it('a key that no configured algorithm can use is refused', () => {
    const rule = ['0.jwks.keys.0: must be a signature key for one of the algorithms'];
    const with1 = (jwk: object, algorithms?: string[]) => oneProblem({ jwks: { keys: [jwk] }, algorithms });
    expect(with1(key.publicJwk, ['RS256', 'EdDSA', 'ES384'])).toEqual(rule);
    expect(with1(rsa, ['ES256'])).toEqual(rule);
    expect(with1({ ...rsa, alg: 'RS512' })).toEqual(rule);
    expect(with1({ ...rsa, alg: 'RSA-OAEP' })).toEqual(rule);
    expect(with1({ ...key.publicJwk, use: 'enc' })).toEqual(rule);
    expect(with1({ ...key.publicJwk, key_ops: ['deriveKey'] })).toEqual(rule);
    expect(with1({ ...key.publicJwk, key_ops: 5 })).toEqual(rule);
    expect(with1({ ...key.publicJwk, alg: 'HS256' })).toEqual(rule);
    expect(with1({ ...key.publicJwk, use: 'sig', key_ops: ['verify'], alg: 'ES256' })).toEqual([]);
    expect(with1(ed25519)).toEqual([]);
    expect(with1(rsa, ['PS512'])).toEqual([]);
  });

  it('a key that is none, or a weak one, is refused', () => {
    const weak = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ format: 'jwk' });
    expect(oneProblem({ jwks: { keys: [weak] } })).toEqual([
      '0.jwks.keys.0: must be an RSA key of at least 2048 bits',
    ]);
    const rule = '0.jwks.keys.0: must be a valid public JSON Web Key of the type EC, RSA or OKP';
    const flipped = { ...key.publicJwk, x: key.publicJwk.y };
    for (const jwk of [flipped, { kty: 'EC' }, { kty: 'EC', crv: 'P-256', x: 5 }, {}]) {
      expect(oneProblem({ jwks: { keys: [jwk] } })).toContain(rule);
    }
    expect(oneProblem({ jwks: { keys: [null] } })).toEqual(['0.jwks.keys.0: must be a JSON Web Key']);
    expect(oneProblem({ jwks: { keys: [] } })).toEqual(['0.jwks.keys: must hold at least one key']);
    expect(oneProblem({ jwks: 'https://idp.example' })).toEqual([
      '0.jwks: must be a JSON Web Key Set: {"keys": [...]}',
    ]);
  });

  it('exactly one of jwksUri and jwks is given', () => {
    const rule = ['0.jwks: exactly one of jwksUri and jwks must be given'];
    expect(oneProblem({ jwks: undefined })).toEqual(rule);
    expect(oneProblem({ jwksUri: 'https://idp.example/jwks' })).toEqual(rule);
  });

  it.for(['http://idp.example/jwks', 'http://127.0.0.1/jwks', 'http://localhost/jwks', 'http://[::1]/jwks'])(
    'in production keys are fetched over https only: %s',
    (uri) => expect(url(uri, true)).toEqual(['0.jwksUri: must be https']),
  );

  it.for([
    ...[
      'http://idp.example/',
      'http://10.0.0.1/',
      'http://127.0.0.1.idp.example/',
      'http://localhost.idp.example/',
    ],
    ...[
      'http://127.idp.example/',
      'http://0.0.0.0/',
      'http://[::]/',
      'http://[::ffff:127.0.0.1]/',
      'http://128.0.0.1/',
    ],
    ...[
      'ftp://127.0.0.1/',
      'file:///etc/passwd',
      'data:application/json,{}',
      'javascript:0',
      'http://localhost@evil/',
    ],
  ])('outside production plain http is for loopback hosts: %s', (uri) => expect(url(uri)).toHaveLength(1));

  it.for(['https://user:pass@idp.example/', 'https://user@idp.example/', 'http://:pass@localhost/'])(
    'a URL with a user name or password is refused, unquoted: %s',
    (uri) => expect(url(uri)).toEqual(['0.jwksUri: must not hold a user name or password']),
  );

  it.for(['', 'idp.example', '/jwks', '//idp.example/jwks', 'https://'])(
    'what is no URL is refused: "%s"',
    (uri) => expect(url(uri)).toEqual(['0.jwksUri: must be an absolute URL']),
  );

  it.for([
    'http://127.0.0.1:9/',
    'http://127.255.1.2/',
    'http://localhost:3000/jwks',
    'http://[::1]:3000/',
    'http://127.1/',
  ])('outside production plain http to a loopback host will do: %s', (uri) => expect(url(uri)).toEqual([]));

  it('private addresses are the right of the operator', () =>
    expect(url('https://10.0.0.1/jwks', true)).toEqual([]));
});

describe('algorithms', () => {
  it.for(['HS256', 'HS384', 'HS512', 'none', 'None', 'ES256K', 'ML-DSA-44', 'es256', ' ES256', '', 5, null])(
    'symmetric, unknown and misspelt algorithms are refused: %j',
    (name) =>
      expect(oneProblem({ algorithms: ['ES256', name] })).toEqual([
        '0.algorithms.1: must be one of ES256, ES384, ES512, PS256, PS384, PS512, RS256, RS384, RS512, EdDSA, Ed25519; symmetric algorithms and none are refused',
      ]),
  );

  it('an empty list is refused, and left out it is the default', () => {
    expect(oneProblem({ algorithms: [] })).toContain('0.algorithms: must not be empty');
    expect(issuers(entry(key))[0]?.algorithms).toEqual(['ES256', 'ES384', 'PS256', 'RS256', 'EdDSA']);
  });
});

describe('several issuers', () => {
  const other = (members?: object) => entry(key, { issuer: 'https://other.example', ...members });
  const any = { organisations: '*', roles: '*' };

  it('each must state the organisations and roles that it may assert', () => {
    const rule = 'must be stated when there are several issuers ("*" allows any)';
    expect(problems([entry(key), other()])).toEqual([
      `0.organisations: ${rule}`,
      `0.roles: ${rule}`,
      `1.organisations: ${rule}`,
      `1.roles: ${rule}`,
    ]);
    expect(problems([entry(key, any), other({ organisations: ['acme'] })])).toEqual([`1.roles: ${rule}`]);
    expect(problems([entry(key, any), other({ organisations: ['acme'], roles: [] })])).toEqual([]);
  });

  it('no two have the same name', () => {
    expect(problems([entry(key, any), other(any), entry(key, any)])).toEqual([
      '2.issuer: must be unique: an earlier entry has the same issuer',
    ]);
  });

  it('none at all is refused', () => {
    expect(problems([])).toEqual([': must name at least one issuer']);
    expect(problems({})).toEqual([': must be a list of issuers']);
  });
});

describe('the rest of an entry', () => {
  it.for([
    [{ issuer: '' }, '0.issuer: must be 1 to 255 characters, none of them a control character'],
    [{ issuer: 5 }, '0.issuer: must be a string'],
    [{ audience: undefined }, '0.audience: must be a string or a list of strings'],
    [{ audience: '' }, '0.audience: must not be empty'],
    [{ audience: [] }, '0.audience: must not be empty'],
    [{ audience: ['a', ''] }, '0.audience.1: must not be empty'],
    [{ clockSkewSeconds: 61 }, '0.clockSkewSeconds: must be a whole number from 0 to 60'],
    [{ clockSkewSeconds: -1 }, '0.clockSkewSeconds: must be a whole number from 0 to 60'],
    [{ clockSkewSeconds: 0.5 }, '0.clockSkewSeconds: must be a whole number from 0 to 60'],
    [{ clockSkewSeconds: '30' }, '0.clockSkewSeconds: must be a whole number from 0 to 60'],
    [{ jwksURI: 'x' }, '0: Unrecognized key: "jwksURI"'],
    [{ claims: { tenant: { value: 'a' } } }, '0.claims: Unrecognized key: "tenant"'],
    [{ claims: 'organisation' }, '0.claims: must be an object'],
    [
      { claims: { roles: '/roles' } },
      '0.claims.roles: must be {"pointer": "/json/pointer"} or {"value": constant}',
    ],
    [
      { claims: { roles: {} } },
      '0.claims.roles: must be {"pointer": "/json/pointer"} or {"value": constant}',
    ],
    [
      { claims: { roles: { pointer: '/roles', value: [] } } },
      '0.claims.roles: must be {"pointer": "/json/pointer"} or {"value": constant}',
    ],
    [
      { claims: { organisation: { pointer: 'org' } } },
      '0.claims.organisation.pointer: must be a JSON Pointer (RFC 6901), such as /organisation',
    ],
    [
      { claims: { organisation: { pointer: '' } } },
      '0.claims.organisation.pointer: must point below the claims set, such as /organisation',
    ],
    [
      { claims: { organisation: { value: 'Acme' } } },
      '0.claims.organisation.value: must be 1 to 63 of a-z 0-9 and -, and not begin with -',
    ],
    [{ claims: { projects: { value: [] } } }, '0.claims.projects.value: must not be empty'],
    [
      { claims: { project: { value: 'web' }, projects: { value: ['api'] } } },
      '0.claims.project.value: must be one of claims.projects.value',
    ],
    [
      { claims: { organisation: { value: 'acme' } }, organisations: ['globex'] },
      '0.claims.organisation.value: must be one of organisations',
    ],
    [
      { claims: { roles: { value: [''] } } },
      '0.claims.roles.value.0: must be 1 to 128 characters, none of them a control character',
    ],
    [{ organisations: [] }, '0.organisations: must not be empty'],
    [{ organisations: ['*'] }, '0.organisations.0: must be 1 to 63 of a-z 0-9 and -, and not begin with -'],
    [{ roles: 'admin' }, '0.roles: must be "*" or a list of roles'],
  ] as const)('what breaks a rule is told with its path and rule: %j', ([members, problem]) =>
    expect(oneProblem(members)).toEqual([problem]),
  );

  it('any JSON is either a configuration or a list of problems', () => {
    const part = fc.jsonValue();
    const jwk = fc.record({
      kty: fc.oneof(fc.constant('EC'), part),
      crv: part,
      x: part,
      key_ops: part,
      alg: part,
    });
    const near = fc.record(
      {
        issuer: part,
        audience: part,
        jwks: fc.record({ keys: fc.array(jwk) }),
        jwksUri: part,
        claims: part,
        roles: part,
      },
      { requiredKeys: [] },
    );
    fc.assert(fc.property(fc.oneof(part, fc.array(near)), (list) => void problems(list)));
  });

  it('left out members have their defaults', () => {
    expect(issuers(entry(key))).toEqual([
      {
        issuer: 'https://idp.example',
        audience: ['strongroom'],
        keySet: { keys: [key.publicJwk] },
        algorithms: ['ES256', 'ES384', 'PS256', 'RS256', 'EdDSA'],
        claims: {
          organisation: { pointer: '/organisation' },
          project: { pointer: '/project' },
          projects: { pointer: '/projects' },
          roles: { pointer: '/roles' },
        },
        organisations: '*',
        roles: '*',
        clockSkewSeconds: 30,
      },
    ]);
  });
});
