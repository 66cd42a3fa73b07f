import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { createTokenVerifier } from '../../src/auth/verify-token.ts';
import { json, serve, type LoopbackServer } from './loopback-server.ts';
import { entry, issuers, makeKey, NOW, refusal, type TestKey } from './test-issuer.ts';

let key: TestKey;
let idp: LoopbackServer;

beforeAll(async () => {
  key = await makeKey();
});
beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['Date', 'performance'] });
  idp = await serve(json({ keys: [key.publicJwk] }));
});
afterEach(async () => {
  vi.useRealTimers();
  await idp[Symbol.asyncDispose]();
});

const remote = (members?: object) =>
  entry(key, { jwks: undefined, jwksUri: `${idp.origin}/jwks`, ...members });
const verifier = () => createTokenVerifier(issuers(remote()));
const accepted = { subject: 'alice' };
const outage = { code: 'SERVICE_UNAVAILABLE', message: 'Access tokens cannot be verified now; try again.' };

describe('what is fetched', () => {
  it('no URL that a token names is visited (CVE-2025-49827, CVE-2025-49831)', async () => {
    const attackerKey = await makeKey();
    await using attacker = await serve(json({ keys: [attackerKey.publicJwk] }));
    const header = {
      jku: `${attacker.origin}/jwks`,
      x5u: `${attacker.origin}/x5u`,
      jwk: attackerKey.publicJwk,
    };
    const verify = verifier();
    for (const claims of [{}, { iss: attacker.origin }]) {
      for (const kid of ['key-1', 'other', undefined]) {
        await refusal(verify(attackerKey.token(claims, { ...header, kid }), NOW));
      }
    }
    expect(attacker.requests).toHaveLength(0);
  });

  it('a redirect is not followed, and counts as an outage (CVE-2026-5052, CVE-2026-34984)', async () => {
    await using target = await serve(json({ keys: [key.publicJwk] }));
    for (const status of [301, 302, 303, 307, 308]) {
      idp.respond((_request, response) =>
        response.writeHead(status, { location: `${target.origin}/jwks` }).end(),
      );
      await expect(verifier()(key.token(), NOW)).rejects.toMatchObject(outage);
    }
    expect(target.requests).toHaveLength(0);
    expect(idp.requests).toHaveLength(5);
  });

  it('nothing of the request travels to the issuer (CVE-2026-4525)', async () => {
    const token = key.token();
    await expect(verifier()(token, NOW)).resolves.toMatchObject(accepted);
    const [request] = idp.requests;
    expect(request).toMatchObject({ method: 'GET', url: '/jwks' });
    expect(request?.headers).not.toHaveProperty('authorization');
    expect(JSON.stringify(request?.rawHeaders)).not.toContain(token);
  });

  it('tokens of an unknown issuer, algorithm, type or form cause no fetch', async () => {
    const verify = verifier();
    for (const token of [
      'a.b.c',
      key.token({ iss: 'x' }),
      key.token({}, { alg: 'HS256' }),
      key.token({}, { typ: 'id+jwt' }),
      key.token({}, { crit: ['b64'], b64: true }),
    ]) {
      await refusal(verify(token, NOW));
    }
    expect(idp.requests).toHaveLength(0);
  });

  it('a hundred tokens at once cause one fetch', async () => {
    const verify = verifier();
    await Promise.all(Array.from({ length: 100 }, () => verify(key.token(), NOW)));
    expect(idp.requests).toHaveLength(1);
  });

  it('two issuers that share a URL share no cache', async () => {
    const any = { organisations: '*', roles: '*' };
    const verify = createTokenVerifier(
      issuers(remote(any), remote({ ...any, issuer: 'https://other.example' })),
    );
    await verify(key.token(), NOW);
    await verify(key.token({ iss: 'https://other.example' }), NOW);
    expect(idp.requests).toHaveLength(2);
  });
});

describe('rotation', () => {
  it('a new kid is picked up within 5 s, with at most one fetch in that time whatever the tokens say', async () => {
    const next = await makeKey('key-2');
    const verify = verifier();
    await verify(key.token(), NOW);
    idp.respond(json({ keys: [key.publicJwk, next.publicJwk] }));
    expect(await refusal(verify(next.token(), NOW))).toBe('ERR_JWKS_NO_MATCHING_KEY');
    expect(idp.requests).toHaveLength(1);
    vi.advanceTimersByTime(5_001);
    await expect(verify(next.token(), NOW)).resolves.toMatchObject(accepted);
    for (let index = 0; index < 20; index += 1)
      await refusal(verify(key.token({}, { kid: `guess-${index}` }), NOW));
    expect(idp.requests).toHaveLength(2);
  });

  it('a withdrawn key is accepted for ten minutes at most', async () => {
    const next = await makeKey('key-2');
    const verify = verifier();
    await verify(key.token(), NOW);
    idp.respond(json({ keys: [next.publicJwk] }));
    vi.advanceTimersByTime(599_000);
    await expect(verify(key.token(), NOW)).resolves.toMatchObject(accepted);
    vi.advanceTimersByTime(2_000);
    expect(await refusal(verify(key.token(), NOW))).toBe('ERR_JWKS_NO_MATCHING_KEY');
  });

  it('a key changed under its kid is replaced with the cache', async () => {
    const next = await makeKey('key-1');
    const verify = verifier();
    await verify(key.token(), NOW);
    idp.respond(json({ keys: [next.publicJwk] }));
    vi.advanceTimersByTime(600_001);
    await expect(verify(next.token(), NOW)).resolves.toMatchObject(accepted);
    expect(await refusal(verify(key.token(), NOW))).toBe('ERR_JWS_SIGNATURE_VERIFICATION_FAILED');
  });
});

describe('outage', () => {
  it.for([
    ['an error of the server', json({}, 500)],
    ['a page that is not there', json({ keys: [] }, 404)],
    ['an empty success', json({}, 204)],
    ['no key set', json({ nothing: 1 })],
    ['keys that are none', json({ keys: ['a', null] })],
    ['a list', json([])],
    ['null', json(null)],
  ] as const)('is not told as a bad token: %s', async ([, answer]) => {
    idp.respond(answer);
    await expect(verifier()(key.token(), NOW)).rejects.toMatchObject(outage);
  });

  it('is not told as a bad token: text that is no JSON, a connection cut, nobody listening', async () => {
    idp.respond((_request, response) => response.end('<html>'));
    await expect(verifier()(key.token(), NOW)).rejects.toMatchObject(outage);
    idp.respond((request) => request.socket.destroy());
    await expect(verifier()(key.token(), NOW)).rejects.toMatchObject(outage);
    const verify = verifier();
    await idp[Symbol.asyncDispose]();
    await expect(verify(key.token(), NOW)).rejects.toMatchObject(outage);
    idp = await serve(json({}));
  });

  it('private and symmetric keys in a published set verify nothing', async () => {
    const secret = Buffer.from('a secret that the issuer published');
    idp.respond(
      json({ keys: [{ kty: 'oct', k: secret.toString('base64url'), kid: 'key-1', alg: 'HS256' }] }),
    );
    expect(await refusal(verifier()(key.token(), NOW))).toBe('ERR_JWKS_NO_MATCHING_KEY');
    idp.respond(json({ keys: [{ ...key.privateKey.export({ format: 'jwk' }), kid: 'key-1' }] }));
    await expect(verifier()(key.token(), NOW)).rejects.toMatchObject(outage);
  });

  it('lasts no longer than the issuer is down, and does not touch tokens whose key is known', async () => {
    const verify = verifier();
    await verify(key.token(), NOW);
    idp.respond(json({}, 500));
    vi.advanceTimersByTime(31_000);
    await expect(verify(key.token({}, { kid: 'key-2' }), NOW)).rejects.toMatchObject(outage);
    await expect(verify(key.token(), NOW)).resolves.toMatchObject(accepted);
    vi.advanceTimersByTime(600_000);
    await expect(verify(key.token(), NOW)).rejects.toMatchObject(outage);
    idp.respond(json({ keys: [key.publicJwk] }));
    vi.advanceTimersByTime(1_001);
    await expect(verify(key.token(), NOW)).resolves.toMatchObject(accepted);
  });

  it('an issuer that fails is asked once a second, however many tokens come', async () => {
    idp.respond(json({}, 500));
    const verify = verifier();
    for (let index = 0; index < 20; index += 1)
      await expect(verify(key.token(), NOW)).rejects.toMatchObject(outage);
    expect(idp.requests).toHaveLength(1);
    vi.advanceTimersByTime(1_001);
    await expect(verify(key.token(), NOW)).rejects.toMatchObject(outage);
    expect(idp.requests).toHaveLength(2);
  });

  it('names the issuer to the log and to nobody else', async () => {
    idp.respond(json({}, 500));
    const error: unknown = await verifier()(key.token(), NOW).catch((reason: unknown) => reason);
    expect(JSON.stringify(error)).not.toContain('idp.example');
    expect((error as Error).cause).toMatchObject({
      message: 'the key set of the issuer https://idp.example is not available',
    });
  });

  it('is declared after five seconds of silence', { timeout: 10_000 }, async () => {
    vi.useRealTimers();
    idp.respond(() => undefined);
    const startMs = performance.now();
    await expect(verifier()(key.token(), NOW)).rejects.toMatchObject(outage);
    expect(performance.now() - startMs).toBeGreaterThan(4_500);
    expect(performance.now() - startMs).toBeLessThan(9_000);
  });
});
