import { afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { createAuthenticator } from '../../src/auth/authenticate.ts';
import { json, serve, type LoopbackServer } from './loopback-server.ts';
import { entry, issuers, makeKey, NOW, NOW_SECONDS, refusal, type TestKey } from './test-issuer.ts';

let key: TestKey;
let next: TestKey;
let idp: LoopbackServer;
let authenticate: (token: string, afterMs?: number, project?: readonly string[]) => Promise<unknown>;

beforeAll(async () => {
  [key, next] = [await makeKey(), await makeKey('key-2')];
});
beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['Date', 'performance'] });
  idp = await serve(json({ keys: [key.publicJwk] }));
  const remote = entry(key, { jwks: undefined, jwksUri: `${idp.origin}/jwks`, clockSkewSeconds: 60 });
  const authenticator = createAuthenticator(issuers(remote));
  authenticate = (token, afterMs = 0, project = []) =>
    authenticator({ authorization: [`Bearer ${token}`], project }, new Date(NOW.getTime() + afterMs));
  // The second time around a token is known.
  await authenticate(key.token());
});
afterEach(async () => {
  vi.useRealTimers();
  await idp[Symbol.asyncDispose]();
});

const accepted = { subject: 'alice', organisation: 'acme' };
const known = async (token: string) => {
  for (let time = 0; time < 2; time++) await expect(authenticate(token)).resolves.toMatchObject(accepted);
};

it('a token that is known ends when it ends, to the tolerance of its issuer and no later', async () => {
  const token = key.token();
  await known(token);
  await expect(authenticate(token, 659_000)).resolves.toMatchObject(accepted);
  expect(await refusal(authenticate(token, 661_000))).toBe('exp');
  expect(await refusal(authenticate(token, 3_600_000))).toBe('exp');
});

it('a token that is known is not good before its time where the clock is set back', async () => {
  const token = key.token({ nbf: NOW_SECONDS, iat: undefined });
  await known(token);
  expect(await refusal(authenticate(token, -61_000))).toBe('nbf');
});

it('with its key withdrawn it is refused when the keys are fetched again, and within ten minutes at most', async () => {
  const token = key.token({ exp: NOW_SECONDS + 3_600 });
  await known(token);
  idp.respond(json({ keys: [next.publicJwk] }));
  vi.advanceTimersByTime(30_001);
  await expect(authenticate(token)).resolves.toMatchObject(accepted);
  // Somebody comes with a new key, for which the set is fetched.
  await expect(authenticate(next.token())).resolves.toMatchObject(accepted);
  expect(await refusal(authenticate(token))).toBe('ERR_JWKS_NO_MATCHING_KEY');
});

it('with its key withdrawn and nobody else about it is refused after ten minutes', async () => {
  const token = key.token({ exp: NOW_SECONDS + 3_600 });
  await known(token);
  idp.respond(json({ keys: [next.publicJwk] }));
  vi.advanceTimersByTime(599_000);
  await expect(authenticate(token)).resolves.toMatchObject(accepted);
  vi.advanceTimersByTime(2_000);
  expect(await refusal(authenticate(token))).toBe('ERR_JWKS_NO_MATCHING_KEY');
});

it('with its issuer gone it is an outage after ten minutes', async () => {
  const token = key.token({ exp: NOW_SECONDS + 3_600 });
  await known(token);
  idp.respond((_request, response) => response.writeHead(500).end());
  vi.advanceTimersByTime(601_000);
  await expect(authenticate(token)).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
});

it('it is known for the project that it was verified for, and for no other', async () => {
  const token = key.token({ projects: ['web', 'api'] });
  for (const project of ['web', 'api', 'web', 'api']) {
    await expect(authenticate(token, 0, [project])).resolves.toMatchObject({ ...accepted, project });
  }
  for (const header of [['other'], []]) {
    await expect(authenticate(token, 0, header)).rejects.toMatchObject({ code: 'PROJECT_MISMATCH' });
  }
  for (const header of [['web', 'web'], ['Web'], ['']]) {
    await expect(authenticate(token, 0, header)).rejects.toMatchObject({ code: 'BAD_REQUEST' });
  }
});

it('another token with the same claims is not known', async () => {
  const token = key.token();
  await known(token);
  const [header, payload, signature = ''] = token.split('.');
  const other = signature.startsWith('A') ? 'B' : 'A';
  await refusal(authenticate(`${header}.${payload}.${other}${signature.slice(1)}`));
  await refusal(authenticate(`${header}.${payload}.`));
});
