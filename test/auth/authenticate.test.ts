import { beforeAll, describe, expect, it } from 'vitest';
import { createAuthenticator, type Authenticate } from '../../src/auth/authenticate.ts';
import { ProjectMismatchError } from '../../src/auth/project-mismatch-error.ts';
import { entry, ISSUER, issuers, makeKey, NOW, NOW_SECONDS, refusal, type TestKey } from './test-issuer.ts';

let key: TestKey;
let authenticate: Authenticate;

beforeAll(async () => {
  key = await makeKey();
  authenticate = createAuthenticator(issuers(entry(key)));
});

const headers = (claims: object = {}, ...project: string[]) => ({
  authorization: [`Bearer ${key.token(claims)}`],
  project,
});
const configured = (members: object) => createAuthenticator(issuers(entry(key, members)));

describe('the Authorization header', () => {
  it('is there exactly once', async () => {
    const [one = ''] = headers().authorization;
    for (const authorization of [[], [one, one], ['', one], [one, 'Basic YTpi']]) {
      expect(await refusal(authenticate({ authorization, project: [] }, NOW))).toBe('Authorization header');
    }
  });

  it('holds one bearer token and nothing else', async () => {
    const token = key.token();
    for (const value of [
      ...[
        '',
        'Bearer',
        'Bearer ',
        token,
        `Basic ${token}`,
        `Bearer${token}`,
        `Bearer\t${token}`,
        `Bearer\n${token}`,
      ],
      ...[` Bearer ${token}`, `Bearer ${token} `, `Bearer ${token} x`, `Bearer ${token}, Bearer ${token}`],
      ...[`DPoP ${token}`, `Token ${token}`, `Bearer Bearer ${token}`, `xBearer ${token}`],
    ]) {
      expect(await refusal(authenticate({ authorization: [value], project: [] }, NOW))).toBe(
        'Authorization header',
      );
    }
    for (const value of [`Bearer "${token}"`, `Bearer ${token},`, `Bearer token=${token}`]) {
      expect(await refusal(authenticate({ authorization: [value], project: [] }, NOW))).toBe(
        'compact serialization',
      );
    }
  });

  it.for(['Bearer', 'bearer', 'BEARER', 'bEaReR', 'Bearer  '])(
    'names the scheme in any case: "%s"',
    async (scheme) => {
      const principal = await authenticate({ authorization: [`${scheme} ${key.token()}`], project: [] }, NOW);
      expect(principal.subject).toBe('alice');
    },
  );
});

describe('one issuer among several', () => {
  let ci: TestKey;
  let both: Authenticate;
  const CI = 'https://ci.example';
  const asCi = (claims: object) => ({
    authorization: [`Bearer ${ci.token({ iss: CI, ...claims })}`],
    project: [],
  });

  beforeAll(async () => {
    ci = await makeKey('ci');
    both = createAuthenticator(
      issuers(
        entry(key, { organisations: '*', roles: '*' }),
        entry(ci, { issuer: CI, organisations: ['acme'], roles: ['ci:deploy', '__proto__'] }),
      ),
    );
  });

  it('does not assert an organisation that is not on its list', async () => {
    for (const organisation of ['globex', 'acm', 'acme2', 'constructor']) {
      expect(await refusal(both(asCi({ organisation }), NOW))).toBe('organisation is not one of the issuer');
    }
    await expect(both(headers({ organisation: 'globex' }), NOW)).resolves.toMatchObject({
      organisation: 'globex',
    });
  });

  it('does not assert strongroom:admin, nor any role that is not on its list', async () => {
    const roles = [
      'strongroom:admin',
      'ci:deploy',
      'CI:DEPLOY',
      'ci:deploy ',
      'ci:*',
      '*',
      '__proto__',
      'constructor',
    ];
    const principal = await both(asCi({ roles }), NOW);
    expect(principal).toMatchObject({ issuer: CI, subject: 'alice', roles: ['ci:deploy', '__proto__'] });
    await expect(both(headers({ roles }), NOW)).resolves.toMatchObject({ issuer: ISSUER, roles });
  });

  it('the same subject of two issuers is two identities (CVE-2022-40186)', async () => {
    const [one, other] = [await both(headers(), NOW), await both(asCi({}), NOW)];
    expect([one.issuer, one.subject]).not.toEqual([other.issuer, other.subject]);
  });
});

describe('roles', () => {
  it.for(
    [
      null,
      '',
      'strongroom:admin',
      5,
      {},
      { 0: 'a' },
      [5],
      [null],
      [['a']],
      ['a', {}],
      [''],
      ['a', ''],
      ['a\u0000'],
    ]
      .concat([['\ud800'], ['x'.repeat(129)], Array.from({ length: 101 }, (_, index) => `r${index}`)])
      .map((roles) => ({ roles })),
  )('what is no list of roles is refused, not read as none: $roles', async ({ roles }) =>
    expect(await refusal(authenticate(headers({ roles }), NOW))).toBe('roles'),
  );

  it('without the claim there are none, and up to 100 of up to 128 characters are kept as they are', async () => {
    expect((await authenticate(headers(), NOW)).roles).toEqual([]);
    expect((await authenticate(headers({ roles: [] }), NOW)).roles).toEqual([]);
    const roles = ['x'.repeat(128), 'Ünï/*', '__proto__', 'constructor', ' strongroom:admin'];
    roles.push(...Array.from({ length: 95 }, (_, index) => `r${index}`));
    expect((await authenticate(headers({ roles }), NOW)).roles).toEqual(roles);
  });
});

describe('the project', () => {
  it('that the token does not grant is a mismatch, which tells whom to audit', async () => {
    const claims = { projects: ['web', 'api'], roles: ['a'] };
    const error: unknown = await authenticate(headers(claims, 'other'), NOW).catch(
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(ProjectMismatchError);
    expect(error).toMatchObject({
      code: 'PROJECT_MISMATCH',
      status: 403,
      message: 'X-Project-Identity must name a project that the access token grants.',
      identity: { issuer: ISSUER, subject: 'alice', organisation: 'acme', roles: ['a'] },
      requestedProject: 'other',
    });
    await expect(authenticate(headers(claims), NOW)).rejects.toMatchObject({
      code: 'PROJECT_MISMATCH',
      requestedProject: '',
    });
  });

  it('is judged only for who is authenticated: a bad header tells nothing to others', async () => {
    const bad = { authorization: ['Bearer a.b.c'], project: ['NOT A NAME', 'x'] };
    expect(await refusal(authenticate(bad, NOW))).toBe('header');
    const foreign = configured({ organisations: ['globex'] });
    expect(await refusal(foreign(headers({}, '', ''), NOW))).toBe('organisation is not one of the issuer');
    expect(await refusal(authenticate(headers({ roles: 'a', project: 'web' }, 'api'), NOW))).toBe('roles');
    await expect(authenticate(headers({}, ''), NOW)).rejects.toMatchObject({
      code: 'BAD_REQUEST',
      status: 400,
    });
  });
});

describe('where claims are found', () => {
  it('a claim that JavaScript would find but the token does not hold is missing', async () => {
    const check = configured({ claims: { organisation: { pointer: '/constructor/name' } } });
    expect(await refusal(check(headers(), NOW))).toBe('organisation');
  });

  it('a constant is not changed by the token', async () => {
    const claims = {
      organisation: { value: 'acme' },
      project: { value: 'web' },
      roles: { value: ['reader'] },
    };
    const check = configured({ claims, roles: ['reader'] });
    const token = { organisation: 'globex', project: 'api', roles: ['strongroom:admin'] };
    await expect(check(headers(token), NOW)).resolves.toMatchObject({
      organisation: 'acme',
      project: 'web',
      roles: ['reader'],
    });
    await expect(check(headers(token, 'api'), NOW)).rejects.toMatchObject({ code: 'PROJECT_MISMATCH' });
  });

  it('pointers reach into nested and namespaced claims', async () => {
    const check = configured({
      claims: {
        organisation: { pointer: '/https:~1~1idp.example~1org' },
        projects: { pointer: '/strongroom/projects' },
        roles: { pointer: '/realm_access/roles' },
      },
    });
    const claims = {
      'https://idp.example/org': 'globex',
      strongroom: { projects: ['web'] },
      realm_access: { roles: ['reader'] },
    };
    await expect(check(headers(claims, 'web'), NOW)).resolves.toMatchObject({
      organisation: 'globex',
      project: 'web',
      roles: ['reader'],
    });
  });
});

it('a request in order gives its principal', async () => {
  expect(await authenticate(headers({ roles: ['a'], team: { name: 'core' } }, 'web'), NOW)).toEqual({
    subject: 'alice',
    issuer: ISSUER,
    organisation: 'acme',
    project: 'web',
    roles: ['a'],
    claims: {
      iss: ISSUER,
      aud: 'strongroom',
      sub: 'alice',
      iat: NOW_SECONDS,
      exp: NOW_SECONDS + 600,
      organisation: 'acme',
      roles: ['a'],
      team: { name: 'core' },
    },
    expiresAt: new Date('2026-03-01T12:10:00Z'),
  });
});
