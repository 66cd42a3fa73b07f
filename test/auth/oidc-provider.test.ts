import Provider from 'oidc-provider';
import { exportJWK, generateKeyPair } from 'jose';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { createAuthenticator, type Authenticate } from '../../src/auth/authenticate.ts';
import { serve, type LoopbackServer } from './loopback-server.ts';
import { issuers, refusal } from './test-issuer.ts';

const RESOURCE = 'https://strongroom.example';
let server: LoopbackServer;
let jwksUri: string;

beforeAll(async () => {
  // The provider tells on the console that a test's configuration is not fit for production.
  vi.spyOn(console, 'warn').mockReturnValue();
  vi.spyOn(console, 'info').mockReturnValue();
  server = await serve((_request, response) => response.end());
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  const provider = new Provider(server.origin, {
    jwks: { keys: [{ ...(await exportJWK(privateKey)), kid: 'es', use: 'sig', alg: 'ES256' }] },
    clients: ['deployer', 'stranger'].map((clientId) => ({
      client_id: clientId,
      client_secret: 'secret',
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
      id_token_signed_response_alg: 'ES256',
    })),
    extraTokenClaims: (_context: unknown, token: { clientId: string }) =>
      token.clientId === 'deployer'
        ? {
            organisation: 'acme',
            strongroom: { projects: ['web', 'api'] },
            roles: ['secrets:ReadAccess', 'strongroom:admin'],
          }
        : undefined,
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_context: unknown, audience: string) => ({
          scope: '',
          audience,
          accessTokenTTL: 300,
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: 'ES256' } },
        }),
      },
    },
  });
  server.respond(provider.callback());
  const discovery = await fetch(`${server.origin}/.well-known/openid-configuration`);
  ({ jwks_uri: jwksUri } = (await discovery.json()) as { jwks_uri: string });
});
afterAll(() => server[Symbol.asyncDispose]());

async function accessToken(clientId: string, resource?: string): Promise<string> {
  const response = await fetch(`${server.origin}/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${clientId}:secret`).toString('base64')}` },
    body: new URLSearchParams({ grant_type: 'client_credentials', ...(resource && { resource }) }),
  });
  expect(response.status).toBe(200);
  return ((await response.json()) as { access_token: string }).access_token;
}

function authenticator(): Authenticate {
  const claims = { projects: { pointer: '/strongroom/projects' } };
  return createAuthenticator(
    issuers({ issuer: server.origin, audience: RESOURCE, jwksUri, claims, roles: ['secrets:ReadAccess'] }),
  );
}
const attempt = (token: string, ...project: string[]) =>
  authenticator()({ authorization: [`Bearer ${token}`], project });

it('a token of a real provider for another resource is refused', async () => {
  expect(await refusal(attempt(await accessToken('deployer', 'https://other.example'), 'web'))).toBe('aud');
});

it('an opaque token of a real provider is refused', async () => {
  expect(await refusal(attempt(await accessToken('deployer'), 'web'))).toBe('compact serialization');
});

it('a token of a real provider without an organisation is refused', async () => {
  expect(await refusal(attempt(await accessToken('stranger', RESOURCE)))).toBe('organisation');
});

it('an access token of a real provider (RFC 9068, client credentials) gives a principal', async () => {
  const token = await accessToken('deployer', RESOURCE);
  await expect(attempt(token)).rejects.toMatchObject({ code: 'PROJECT_MISMATCH' });
  await expect(attempt(token, 'web')).resolves.toMatchObject({
    subject: 'deployer',
    issuer: server.origin,
    organisation: 'acme',
    project: 'web',
    roles: ['secrets:ReadAccess'],
  });
  const [header = ''] = token.split('.');
  expect(JSON.parse(Buffer.from(header, 'base64url').toString())).toEqual({
    alg: 'ES256',
    kid: 'es',
    typ: 'at+jwt',
  });
});
