import { randomBytes, randomUUID } from 'node:crypto';
import { getNamedType, type GraphQLSchema, isObjectType } from 'graphql';
import { data, type TestApp, type TestCaller } from './test-app.ts';

/**
 * What a name or an id belongs to: who may not see the one may see the other. A `place` in the stream of changes is the scope's
 * own, and names nothing that is there: whoever has lost the right to what it stood at goes on from it.
 */
export type Owner = 'secret' | 'kmsKey' | 'policy' | 'event' | 'caller' | 'place';

/** One of everything that can be named in a scope. Every name that the test chose holds `mark`, for `absentTwin`. */
export interface Things {
  readonly mark: string;
  readonly scope: TestCaller;
  readonly folder: string;
  /** Live, with two versions of a KEY_VALUE that has the entry `password`. */
  readonly path: string;
  /** Live; its access policy refuses everybody. */
  readonly guardedPath: string;
  /** Waits in its recovery window; the path is free. */
  readonly deletedPath: string;
  readonly secretId: string;
  readonly deletedId: string;
  readonly keyName: string;
  readonly keyIdentity: string;
  readonly policyName: string;
  readonly subject: string;
  readonly idempotencyKey: string;
  readonly requestId: string;
  /** A global id of each type of node that is there. */
  readonly ids: readonly { readonly type: string; readonly id: string }[];
  /** The first cursor of each list among the root fields. */
  readonly cursors: ReadonlyMap<string, { readonly owner: Owner; readonly value: string }>;
}

const OWNERS: Readonly<Record<string, Owner>> = {
  Secret: 'secret',
  SecretVersion: 'secret',
  Folder: 'secret',
  KmsKey: 'kmsKey',
  Policy: 'policy',
  AuditEvent: 'event',
};

/** To what a node of the type belongs; a type that is new here has to be told, and an id of it made in `makeThings`. */
export function ownerOfNode(type: string): Owner {
  const owner = OWNERS[type];
  if (!owner)
    throw new Error(`The node type ${type} is not known: tell its owner in test/support/things.ts.`);
  return owner;
}

const NEW_SECRET = `... on SecretVersionPayload { secret { id version { id } } } ... on UserError { code message }`;

/** Fills a scope, as its administrator. Names of `own` things sort after those of others, in every run. */
export async function makeThings(
  app: TestApp,
  schema: GraphQLSchema,
  scope: TestCaller,
  own = false,
): Promise<Things> {
  const mark = `${own ? 'f' : 'a'}${randomBytes(5).toString('hex')}000`;
  const folder = `/w${mark}`;
  const names = {
    ...{ mark, folder, path: `${folder}/live`, guardedPath: `${folder}/guarded` },
    ...{ deletedPath: `${folder}/deleted`, keyName: `key-${mark}`, policyName: `policy-${mark}` },
    ...{ subject: `owner-${mark}`, idempotencyKey: `once-${mark}` },
  };
  const owner = { ...scope, roles: ['strongroom:admin'], subject: names.subject };
  const ask: Ask = async (query, variables) => {
    const answer = await app.raw(query, variables, owner);
    if (answer.errors || answer.text.includes('"code"')) throw new Error(answer.text);
    return answer.data;
  };
  const created = (await ask(
    `mutation ($key: CreateKmsKeyInput!) { createKmsKey(input: $key) {
      ... on KmsKeyPayload { kmsKey { id identity } } ... on UserError { code message } } }`,
    { key: { name: names.keyName, description: `of ${mark}` } },
  )) as { createKmsKey: { kmsKey: { id: string; identity: string } } };
  const { id: keyId, identity: keyIdentity } = created.createKmsKey.kmsKey;
  const value = { secretKeyValues: [{ key: 'password', value: data('a value') }] };
  const secret = {
    ...{ kmsKeyIdentity: keyIdentity, value, description: `of ${mark}` },
    labels: [{ key: 'team', value: mark }],
  };
  const refuseAll = { ip: [{ effect: 'DENY', cidrs: ['0.0.0.0/0', '::/0'] }] };
  const written = (await ask(
    `mutation ($live: CreateSecretInput!, $guarded: CreateSecretInput!, $gone: CreateSecretInput!,
               $put: PutSecretValueInput!, $delete: DeleteSecretInput!) {
      live: createSecret(input: $live) { ${NEW_SECRET} }
      guarded: createSecret(input: $guarded) { ${NEW_SECRET} }
      gone: createSecret(input: $gone) { ${NEW_SECRET} }
      putSecretValue(input: $put) { ... on UserError { code message } }
      deleteSecret(input: $delete) { ... on UserError { code message } }
    }`,
    {
      live: { ...secret, path: names.path, idempotencyKey: names.idempotencyKey },
      guarded: { ...secret, path: names.guardedPath, accessPolicy: refuseAll },
      gone: { ...secret, path: names.deletedPath },
      put: { path: names.path, value },
      delete: { path: names.deletedPath },
    },
  )) as Record<'live' | 'gone', { secret: { id: string; version: { id: string } } }>;
  const { live, gone } = written;
  const ids = [
    { type: 'Secret', id: live.secret.id },
    { type: 'Secret', id: gone.secret.id },
    { type: 'SecretVersion', id: live.secret.version.id },
    { type: 'KmsKey', id: keyId },
    ...(await makePolicy(ask, schema, names.policyName)),
  ];
  const made = { ...names, scope, keyIdentity, secretId: live.secret.id, deletedId: gone.secret.id };
  // Nobody else asks about what is one's own.
  if (own) return { ...made, requestId: randomUUID(), ids, cursors: new Map() };
  const { folder: folderNode } = (await ask(
    'query ($path: FolderPath!) { folder(path: $path) { type: __typename id } }',
    { path: folder },
  )) as { folder: { type: string; id: string } };
  const events = await eventsOf(ask, schema);
  return {
    ...made,
    requestId: events[0]?.requestId ?? randomUUID(),
    ids: [...ids, folderNode, ...events.map(({ id }) => ({ type: 'AuditEvent', id }))],
    cursors: await cursorsOf(ask, schema),
  };
}

type Ask = (query: string, variables: unknown) => Promise<unknown>;

async function makePolicy(ask: Ask, schema: GraphQLSchema, name: string) {
  if (!schema.getMutationType()?.getFields()['putPolicy']) return [];
  const made = (await ask(
    `mutation ($input: PutPolicyInput!) { putPolicy(input: $input) {
      ... on PolicyPayload { policy { type: __typename id } } ... on UserError { code message } } }`,
    {
      input: {
        name,
        statements: [
          {
            ...{ name: 'read', effect: 'ALLOW', permissions: ['SECRET_READ'] },
            resources: ['secret:/nowhere/**'],
          },
        ],
        subjects: [{ kind: 'ROLE', value: 'nobody' }],
      },
    },
  )) as { putPolicy: { policy: { type: string; id: string } } };
  return [made.putPolicy.policy];
}

async function eventsOf(ask: Ask, schema: GraphQLSchema) {
  if (!schema.getQueryType()?.getFields()['auditEvents']) return [];
  const found = (await ask('{ auditEvents(first: 1) { nodes { id requestId } } }', {})) as {
    auditEvents: { nodes: { id: string; requestId: string }[] };
  };
  return found.auditEvents.nodes;
}

async function cursorsOf(ask: Ask, schema: GraphQLSchema): Promise<Things['cursors']> {
  const lists = listsOf(schema);
  const found = (await ask(
    `{ ${lists.map(({ name }) => `${name} { pageInfo { startCursor } }`).join(' ')} }`,
    {},
  )) as Record<string, { pageInfo: { startCursor: string | null } } | null>;
  return new Map(
    lists.flatMap(({ name, owner }) => {
      const value = found[name]?.pageInfo.startCursor;
      return value ? [[name, { owner, value }] as const] : [];
    }),
  );
}

/** The lists among the root fields of queries. */
function listsOf(schema: GraphQLSchema): readonly { readonly name: string; readonly owner: Owner }[] {
  return Object.values(schema.getQueryType()?.getFields() ?? {}).flatMap(({ name, args, type }) => {
    const nodes = isObjectType(type) ? type.getFields()['nodes'] : undefined;
    const isList = nodes && args.some((argument) => argument.name === 'after');
    return isList ? [{ name, owner: ownerOfNode(getNamedType(nodes.type).name) }] : [];
  });
}

/** Things that are nowhere: what can be named, for whoever has to know it before there is anything. */
export function sampleThings(schema: GraphQLSchema): Things {
  const name = 'sample';
  const nodes = Object.keys(OWNERS).filter((type) => schema.getType(type));
  return {
    ...{ mark: name, scope: {}, folder: '/a', path: '/a/a', guardedPath: '/a/b', deletedPath: '/a/c' },
    ...{ secretId: name, deletedId: name, keyName: name, keyIdentity: name, policyName: name, subject: name },
    ...{
      idempotencyKey: name,
      requestId: name,
      ids: nodes.map((type) => ({ type, id: name })),
    },
    cursors: new Map(listsOf(schema).map((list) => [list.name, { owner: list.owner, value: name }])),
  };
}

const UUID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;
const KEY_IDENTITY = /kms-[0-9a-v]{20}/g;

/** Names nothing. It differs at its end alone, so that both sort alike among the names of others. */
function twinOfMark(mark: string): string {
  return `${mark.slice(0, -3)}0f0`;
}

/** The same text with everything in it that names a thing changed to what names nothing, of the same length. */
export function absentTwin(text: string, { mark }: Things): string {
  const inner = opened(text);
  const swapped = (inner ?? text)
    .replaceAll(mark, twinOfMark(mark))
    .replace(UUID, (id) => otherEnd(id))
    .replace(KEY_IDENTITY, (identity) => otherEnd(identity));
  return inner === null ? swapped : Buffer.from(swapped).toString('base64url');
}

function otherEnd(text: string): string {
  const end = text.endsWith('0') ? '1' : '0';
  return text.slice(0, -4) + end.repeat(4);
}

/** What an id or a cursor says inside its base64url; null for other text. */
function opened(text: string): string | null {
  if (!/^[\w-]{8,}$/.test(text)) return null;
  const inner = Buffer.from(text, 'base64url').toString('utf8');
  // eslint-disable-next-line no-control-regex -- the separator of path keys stands in cursors
  const isText = /^[\u0001\u0020-\u007e]+$/.test(inner) && Buffer.from(inner).toString('base64url') === text;
  return isText && /^(\[|[A-Za-z]+:)/.test(inner) ? inner : null;
}

/** An answer without what is new in each: ids, times, hashes, and the marks of whoever asked and was asked about. */
export function withoutNames(value: unknown, marks: readonly string[]): unknown {
  if (typeof value === 'string') {
    const inner = opened(value);
    if (inner !== null) return `opaque ${String(withoutNames(inner, marks))}`;
    return marks
      .flatMap((mark) => [mark, twinOfMark(mark)])
      .reduce((text, mark) => text.replaceAll(mark, '<mark>'), value)
      .replace(/\b(other|own)-\d+\b/g, '<scope>')
      .replace(UUID, '<uuid>')
      .replace(KEY_IDENTITY, '<key>')
      .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g, '<time>')
      .replace(/\b[0-9a-f]{64}\b/g, '<hash>');
  }
  if (Array.isArray(value)) return value.map((each) => withoutNames(each, marks));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, withoutNames(each, marks)]));
}
