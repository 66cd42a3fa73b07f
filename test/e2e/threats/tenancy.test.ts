import { randomBytes } from 'node:crypto';
import { print } from 'graphql';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { databaseUrl, TEMPLATE } from '../../support/postgres.ts';
import { data, freshPath, type TestApp, type TestCaller, testApp } from '../../support/test-app.ts';
import * as doc from '../documents.ts';

let app: TestApp;
let kmsKeyIdentity: string;

beforeAll(async () => {
  app = await testApp();
  kmsKeyIdentity = (await app.gql(doc.KMS_KEYS, {})).data.kmsKeys?.nodes[0]?.identity ?? '';
});
afterAll(() => app.close());

async function create(): Promise<string> {
  const path = freshPath();
  const input = { path, kmsKeyIdentity, value: { secretString: data('theirs') } };
  const answer = await app.gql(doc.CREATE, { input });
  if (answer.data.createSecret?.__typename !== 'SecretVersionPayload') throw new Error(answer.text);
  return path;
}

describe('a scope that is named like a special one is a scope like others', () => {
  const NAMES = [
    'root',
    'default',
    'organisation',
    'admin',
    'system',
    'null',
    'undefined',
    'true',
    '0',
    'acme',
    'public',
  ];

  test.for(NAMES)('the project %s holds nothing of its organisation (CVE-2026-55775)', async (project) => {
    const path = await create();
    const caller: TestCaller = { organisation: 'acme', project };
    const absent = await app.gql(doc.GET, { input: { path: freshPath() } }, caller);
    expect((await app.gql(doc.GET, { input: { path } }, caller)).text).toBe(absent.text);
    expect((await app.gql(doc.SECRETS, {}, caller)).data.secrets).toMatchObject({ totalCount: 0 });
    const viewer = await app.raw('{ viewer { organisation project } }', {}, caller);
    expect(viewer.data['viewer']).toEqual({ organisation: 'acme', project });
  });

  test.for(NAMES.filter((name) => name !== 'acme'))(
    'the organisation %s holds nothing of another (CVE-2026-55775)',
    async (organisation) => {
      await create();
      expect((await app.gql(doc.SECRETS, {}, { organisation })).data.secrets).toMatchObject({
        totalCount: 0,
      });
      expect((await app.gql(doc.KMS_KEYS, {}, { organisation })).data.kmsKeys).toEqual({ nodes: [] });
    },
  );

  test.for(['Acme', 'ACME', 'acme ', ' acme', 'acme/', 'acme\n', 'acme\0', 'acm\u0435', '../acme', '*', ''])(
    'no other spelling of an organisation is that organisation: %j (GHSA-mwr2-wmgp-crj6)',
    async (organisation) => {
      const answer = await app.raw('{ viewer { organisation } }', {}, { organisation });
      expect(answer.status).toBe(401);
    },
  );
});

describe('who asks is what the token says', () => {
  const FORGED = {
    ...{ 'x-organisation': 'acme', 'x-organization': 'acme', 'x-tenant-id': 'acme', 'x-project-id': '' },
    ...{
      'x-roles': 'strongroom:admin',
      'x-user': 'tester',
      'x-forwarded-user': 'tester',
      'x-subject': 'tester',
    },
    ...{
      'x-identity-status': 'Confirmed',
      'x-user-id': 'tester',
      'x-auth-token': 'admin',
      'x-is-admin-project': 'True',
    },
    ...{
      'x-original-url': '/health',
      'x-http-method-override': 'GET',
      cookie: 'token=admin; organisation=acme',
    },
  };

  test('and no header beside it (CVE-2026-22797)', async () => {
    const path = await create();
    for (const caller of [{ roles: [] }, { organisation: 'globex' }, { project: 'web' }]) {
      const plain = await app.gql(doc.GET, { input: { path } }, caller);
      expect(plain.data.getSecretValue).toMatchObject({ code: 'NOT_FOUND' });
      expect((await app.gql(doc.GET, { input: { path } }, caller, FORGED)).text).toBe(plain.text);
    }
    const viewer = await app.raw(
      '{ viewer { organisation project roles subject } }',
      {},
      { roles: [] },
      FORGED,
    );
    expect(viewer.data['viewer']).toEqual({
      organisation: 'acme',
      project: null,
      roles: [],
      subject: 'tester',
    });
  });

  test('and no parameter, further variable or extension of the request (CVE-2022-3100)', async () => {
    const path = await create();
    const authorization = `Bearer ${await app.token({ roles: [] })}`;
    const post = async (search: string, more: object) => {
      const forged = {
        organisation: 'acme',
        project: '',
        roles: ['strongroom:admin'],
        path,
        target: { path },
      };
      const body = JSON.stringify({
        query: print(doc.GET),
        variables: { input: { path } },
        ...more,
        ...forged,
      });
      const headers = { 'content-type': 'application/json', authorization };
      const response = await fetch(`${app.url}/graphql${search}`, { method: 'POST', body, headers });
      return { status: response.status, text: await response.text() };
    };
    const absent = await app.gql(doc.GET, { input: { path: freshPath() } }, { roles: [] });
    expect(absent.data.getSecretValue).toMatchObject({ code: 'NOT_FOUND' });
    const admin = 'organisation=acme&roles=strongroom:admin&role=strongroom:admin&subject=tester&project=';
    const answers = [
      await post(`?${admin}`, {}),
      await post(`?query=%7Bviewer%7Bsubject%7D%7D&${admin}`, {}),
      await post('', {
        extensions: { roles: ['strongroom:admin'], principal: { roles: ['strongroom:admin'] } },
      }),
      await post('', {
        variables: { input: { path }, roles: ['strongroom:admin'], principal: { roles: ['*'] } },
      }),
    ];
    for (const answer of answers) {
      // A body that is no more than a request is answered as such; one with more in it may be refused, but not obeyed.
      if (answer.status === 200) expect(answer.text).toBe(absent.text);
      else expect(answer).toMatchObject({ status: 400, text: expect.not.stringContaining('data') as string });
    }
  });
});

describe('regions', () => {
  let regions: TestApp;

  beforeAll(async () => {
    const server = inject('postgres');
    const admin = new pg.Client({ connectionString: server });
    await admin.connect();
    const names = [0, 1].map(() => `test_${randomBytes(8).toString('hex')}`);
    for (const name of names) await admin.query(`CREATE DATABASE ${name} TEMPLATE ${TEMPLATE}`);
    await admin.end();
    const [north = '', south = ''] = names.map((name) => databaseUrl(server, name));
    regions = await testApp({
      DATABASE_URL: north,
      STRONGROOM_REGIONS: JSON.stringify(
        [
          ['north', north],
          ['south', south],
        ].map(([name, url]) => ({ name, databaseUrl: url, rootKey: randomBytes(32).toString('base64') })),
      ),
    });
  });
  afterAll(() => regions.close());

  test('hold nothing of each other: what stands in one is missing in the other, by path and by id (CVE-2025-55196)', async () => {
    const ask = async (query: string, variables: object) => (await regions.raw(query, variables)).data;
    const made = (await ask(
      `mutation ($input: CreateKmsKeyInput!) { createKmsKey(input: $input) {
        ... on KmsKeyPayload { kmsKey { id identity } } } }`,
      { input: { name: 'southern', region: 'south' } },
    )) as { createKmsKey: { kmsKey: { id: string; identity: string } } };
    const { id: keyId, identity } = made.createKmsKey.kmsKey;
    const CREATE_IN = `mutation ($input: CreateSecretInput!) { createSecret(input: $input) {
      ... on UserError { code } ... on SecretVersionPayload { secret { id } } } }`;
    const input = { path: '/region/one', kmsKeyIdentity: identity, value: { secretString: data('v') } };
    // The key of another region is no key here.
    expect(await ask(CREATE_IN, { input: { ...input, region: 'north' } })).toEqual({
      createSecret: { code: 'NOT_FOUND' },
    });
    const { createSecret } = (await ask(CREATE_IN, { input: { ...input, region: 'south' } })) as {
      createSecret: { secret: { id: string } };
    };
    const FIND = `query ($region: String, $path: SecretPath!, $identity: String!) {
      secret(path: $path, region: $region) { region } kmsKey(identity: $identity, region: $region) { region } }`;
    const where = { path: '/region/one', identity };
    expect(await ask(FIND, { ...where, region: 'south' })).toEqual({
      ...{ secret: { region: 'south' }, kmsKey: { region: 'south' } },
    });
    for (const region of ['north', null]) {
      expect(await ask(FIND, { ...where, region })).toEqual({ secret: null, kmsKey: null });
    }
    const moved = (id: string) =>
      Buffer.from(Buffer.from(id, 'base64url').toString().replace(':south:', ':north:')).toString(
        'base64url',
      );
    for (const id of [createSecret.secret.id, keyId]) {
      expect(await ask('query ($id: ID!) { node(id: $id) { id } }', { id })).toEqual({ node: { id } });
      expect(await ask('query ($id: ID!) { node(id: $id) { id } }', { id: moved(id) })).toEqual({
        node: null,
      });
    }
  });
});
