import { afterAll, beforeAll, expect, test } from 'vitest';
import * as doc from '../../e2e/documents.ts';
import { graphql } from '../../support/graphql.ts';
import { data, freshPath, type TestApp, type TestCaller, testApp } from '../../support/test-app.ts';

const AUDIT_EVENTS = graphql(`
  query AuditEvents($filter: AuditEventFilter, $first: Int, $after: String, $last: Int, $before: String) {
    auditEvents(filter: $filter, first: $first, after: $after, last: $last, before: $before) {
      nodes {
        id
        sequence
        at
        action
        outcome
        errorCode
        organisation
        project
        region
        actor {
          subject
          issuer
          roles
        }
        resourceType
        resource
        resourceId
        version
        causedBy
        requestId
        sourceIp
        userAgent
        details {
          key
          value
        }
        hash
        previousHash
      }
      pageInfo {
        hasNextPage
        hasPreviousPage
        startCursor
        endCursor
      }
    }
  }
`);

let app: TestApp;
const keys = new Map<string, string>();

beforeAll(async () => {
  app = await testApp();
  await keyOf({});
});
afterAll(() => app.close());

async function keyOf(caller: TestCaller): Promise<string> {
  const scope = `${caller.organisation ?? 'acme'}/${caller.project ?? ''}`;
  const known = keys.get(scope);
  if (known) return known;
  if (scope !== 'acme/') {
    await app.raw(
      'mutation { createKmsKey(input: { name: "default" }) { __typename } }',
      {},
      { ...caller, roles: ['strongroom:admin'] },
    );
  }
  const listed = await app.gql(doc.KMS_KEYS, {}, { ...caller, roles: ['strongroom:admin'] });
  const identity = listed.data.kmsKeys?.nodes[0]?.identity ?? '';
  keys.set(scope, identity);
  return identity;
}

async function create(path = freshPath(), caller: TestCaller = {}): Promise<string> {
  const kmsKeyIdentity = await keyOf(caller);
  const input = { path, kmsKeyIdentity, value: { secretString: data('v') } };
  const answer = await app.gql(doc.CREATE, { input }, caller);
  if (answer.data.createSecret?.__typename !== 'SecretVersionPayload') throw new Error(answer.text);
  return path;
}
const get = (path: string, caller?: TestCaller) => app.gql(doc.GET, { input: { path } }, caller);

const ask = (args: Record<string, unknown> = {}, caller?: TestCaller) => app.raw(AUDIT_EVENTS, args, caller);
async function list(args: Record<string, unknown> = {}, caller?: TestCaller) {
  const answer = await app.gql(AUDIT_EVENTS, args, caller);
  const page = answer.data.auditEvents;
  if (!page) throw new Error(answer.text);
  return page;
}
const events = async (filter: Record<string, unknown>, caller?: TestCaller) =>
  (await list({ filter, first: 100 }, caller)).nodes;

test('whoever lacks AUDIT_READ is refused as a whole, and the refusal leaves no event', async () => {
  const before = (await list({ first: 1 })).nodes[0]?.sequence;
  for (const roles of [[], ['secrets:FullAccess'], ['kms:FullAccess']]) {
    const answer = await ask({}, { roles });
    expect(answer.data).toEqual({ auditEvents: null });
    expect(answer.errors?.[0]?.extensions).toMatchObject({ code: 'FORBIDDEN' });
  }
  expect((await ask({}, { roles: ['audit:ReadAccess'] })).errors).toBeUndefined();
  expect((await list({ first: 1 })).nodes[0]?.sequence).toBe(before);
});

test.each([
  [{ filter: { actions: ['secret.getValue', 'MARKER'] } }, ['filter', 'actions', '1']],
  [{ filter: { actions: ['secret.GetValue'] } }, ['filter', 'actions', '0']],
  [{ filter: { actions: [] } }, ['filter', 'actions']],
  [{ filter: { since: 'MARKER' } }, ['filter', 'since']],
  [{ filter: { until: '2030-02-30T00:00:00Z' } }, ['filter', 'until']],
  [{ filter: { since: '2030-01-01T00:00:00.001Z', until: '2030-01-01T00:00:00.000Z' } }, ['filter', 'until']],
  [{ filter: { pathPrefix: 'MARKER' } }, ['filter', 'pathPrefix']],
  [{ filter: { pathPrefix: '/a/' } }, ['filter', 'pathPrefix']],
  [{ filter: { subject: 'MARKER\0' } }, ['filter', 'subject']],
  [{ filter: { issuer: '' } }, ['filter', 'issuer']],
  [{ filter: { resource: 'x'.repeat(2_049) } }, ['filter', 'resource']],
  [{ filter: { requestId: '\ud800' } }, ['filter', 'requestId']],
  [{ first: 0 }, ['first']],
  [{ first: 101 }, ['first']],
  [{ first: 1, last: 1 }, ['last']],
  [{ after: 'MARKER' }, ['after']],
  [{ before: Buffer.from('["audit-events:local-1:acme:",-1]').toString('base64url') }, ['before']],
  [{ before: Buffer.from('["audit-events:local-1:acme:",1.5]').toString('base64url') }, ['before']],
])('%j is refused by its field, never quoted', async (args, field) => {
  const answer = await ask(args);
  expect(answer.errors?.[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', field });
  expect(answer.text).not.toContain('MARKER');
});

test('a cursor of another list, organisation or project is refused', async () => {
  await create(freshPath(), { project: 'cursors' });
  const kmsCursor = (await app.raw('{ kmsKeys { pageInfo { endCursor } } }')).data['kmsKeys'] as {
    pageInfo: { endCursor: string };
  };
  const own = (await list({ first: 1 })).pageInfo.endCursor;
  const projects = (await list({ first: 1 }, { project: 'cursors' })).pageInfo.endCursor;
  for (const [after, caller] of [
    [kmsCursor.pageInfo.endCursor, {}],
    [projects, {}],
    [own, { project: 'cursors' }],
    [own, { organisation: 'globex' }],
  ] as const) {
    expect((await ask({ after }, caller)).errors?.[0]?.extensions['code']).toBe('BAD_USER_INPUT');
  }
});

test('an organisation sees the events of its projects, a project its own, and another organisation none', async () => {
  const path = freshPath();
  await create(path);
  await create(path, { project: 'shop' });
  const resource = { resource: path };
  expect((await events(resource)).map(({ project }) => project)).toEqual(['shop', null]);
  expect((await events(resource, { project: 'shop' })).map(({ project }) => project)).toEqual(['shop']);
  expect(await events(resource, { project: 'other' })).toEqual([]);
  expect(await events(resource, { organisation: 'globex' })).toEqual([]);
});

test('an event tells who did what to what, and its KMS events share the request and name their cause', async () => {
  const path = await create();
  await get(path, { subject: 'reader', roles: ['secrets:ValueAccess'] });
  const [read] = await events({ resource: path, actions: ['secret.getValue'] });
  const secretId = (await app.gql(doc.SECRET, { path })).data.secret?.id;
  expect(read).toMatchObject({
    ...{
      action: 'secret.getValue',
      outcome: 'SUCCESS',
      errorCode: null,
      organisation: 'acme',
      project: null,
    },
    ...{ region: 'local-1', resourceType: 'secret', resource: path, resourceId: secretId, version: 1 },
    ...{ causedBy: null, sourceIp: '127.0.0.1', details: [] },
    actor: { subject: 'reader', roles: ['secrets:ValueAccess'] },
  });
  const joined = await events({ requestId: read?.requestId });
  expect(joined).toMatchObject([
    { action: 'kms.decrypt', causedBy: read?.sequence, resourceType: 'kms-key', previousHash: read?.hash },
    { action: 'secret.getValue', sequence: read?.sequence },
  ]);
  expect(read?.hash).toMatch(/^[0-9a-f]{64}$/);
});

test('each filter holds what it names, together and alone', async () => {
  const root = freshPath('x').slice(0, -2);
  const [a, b] = [await create(`${root}/a`), await create(`${root}/b/c`)];
  await create(root);
  await create(`${root}-beside`);
  await get(a, { subject: 'anna' });
  await get(a, { subject: 'anna', roles: [] });
  await get(`${root}/none`, { subject: 'anna' });
  const below = { pathPrefix: root };
  const told = async (filter: Record<string, unknown>) =>
    (await events({ ...below, ...filter })).map(({ action, outcome, resource }) =>
      [action.slice(7), outcome[0], resource?.slice(root.length)].join(' '),
    );
  expect(await told({})).toEqual([
    'getValue F /none',
    'getValue D /a',
    'getValue S /a',
    'create S /b/c',
    'create S /a',
  ]);
  expect(await told({ outcome: 'DENIED' })).toEqual(['getValue D /a']);
  expect(await told({ actions: ['secret.create', 'secret.create', 'policy.put'] })).toHaveLength(2);
  expect(await told({ subject: 'anna', outcome: 'SUCCESS' })).toEqual(['getValue S /a']);
  expect(await told({ resource: b })).toEqual(['create S /b/c']);
  expect(await told({ issuer: 'https://nobody.example' })).toEqual([]);
  expect(await told({ subject: 'Anna' })).toEqual([]);
  const [one] = await events({ subject: 'anna', outcome: 'DENIED' });
  expect(one).toMatchObject({ resource: a, errorCode: 'ACCESS_DENIED' });
  expect(await told({ issuer: one?.actor.issuer, requestId: one?.requestId })).toEqual(['getValue D /a']);
  expect(await events({ actions: ['secret.purge'], subject: 'anna' })).toEqual([]);
});

test('since is in and until is out', async () => {
  const path = freshPath();
  const now = new Date(Date.now() + 20 * 60_000);
  app.clock.now = now;
  try {
    await create(path);
    app.clock.now = new Date(now.getTime() + 1);
    await app.raw(doc.DELETE, { input: { path } }, undefined);
  } finally {
    app.clock.now = null;
  }
  const told = async (since: Date | null, until: Date | null) =>
    (await events({ resource: path, since: since?.toISOString(), until: until?.toISOString() })).map(
      ({ action }) => action,
    );
  const later = (ms: number) => new Date(now.getTime() + ms);
  expect(await told(now, later(1))).toEqual(['secret.create']);
  expect(await told(later(1), null)).toEqual(['secret.delete']);
  expect(await told(null, now)).toEqual([]);
  expect(await told(now, now)).toEqual([]);
  expect(await told(now, later(2))).toEqual(['secret.delete', 'secret.create']);
});

test('pages stay as they are while events arrive, forward and backward', async () => {
  const path = await create();
  for (let n = 0; n < 6; n++) await get(path);
  const filter = { resource: path };
  const all = (await events(filter)).map(({ sequence }) => sequence);
  expect(all).toHaveLength(7);
  expect(all).toEqual(all.toSorted((a, b) => b - a));
  const forward: number[] = [];
  let first: string | null = null;
  for (let after: string | null = null; ;) {
    const page: Awaited<ReturnType<typeof list>> = await list({ filter, first: 2, after });
    first ??= page.pageInfo.startCursor;
    forward.push(...page.nodes.map(({ sequence }) => sequence));
    await get(path);
    if (!page.pageInfo.hasNextPage) break;
    after = page.pageInfo.endCursor;
  }
  expect(forward).toEqual(all);
  // What came meanwhile stands before the first page, and nothing of it is lost.
  const newer = await list({ filter, last: 100, before: first });
  expect(newer.nodes.map(({ sequence }) => sequence)).toEqual(
    (await events(filter)).slice(0, 4).map(({ sequence }) => sequence),
  );
  const backward: number[] = [];
  for (let before: string | null = null; ;) {
    const page: Awaited<ReturnType<typeof list>> = await list({ filter, last: 3, before });
    backward.unshift(...page.nodes.map(({ sequence }) => sequence));
    if (!page.pageInfo.hasPreviousPage) break;
    before = page.pageInfo.startCursor;
  }
  expect(backward.slice(4)).toEqual(all);
});

test('node answers an event for AUDIT_READ in its scope, and else as if there were none', async () => {
  const path = await create(freshPath(), { project: 'nodes' });
  const [event] = await events({ resource: path });
  const node = (id: string, caller?: TestCaller) =>
    app.raw(
      'query ($id: ID!) { node(id: $id) { __typename id ... on AuditEvent { sequence } } }',
      { id },
      caller,
    );
  const id = event?.id ?? '';
  const seen = { node: { __typename: 'AuditEvent', id, sequence: event?.sequence } };
  expect((await node(id)).data).toEqual(seen);
  expect((await node(id, { project: 'nodes', roles: ['audit:ReadAccess'] })).data).toEqual(seen);
  const missing = Buffer.from('AuditEvent:local-1:00000000-0000-4000-8000-000000000000').toString(
    'base64url',
  );
  const { text } = await node(missing);
  for (const caller of [
    { roles: ['secrets:FullAccess'] },
    { organisation: 'globex' },
    { project: 'shop' },
  ] satisfies TestCaller[]) {
    expect((await node(id, caller)).text).toBe(text);
  }
});
