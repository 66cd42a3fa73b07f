import { Connection } from './connection.ts';
import type { Databases } from './database.ts';
import type { BenchIssuer } from '../issuer.ts';
import { load } from './load.ts';
import type { Caller } from './measures.ts';
import { type Service, startService } from './service.ts';
import { AUDITED, STARRED, type Tree, treeOf } from './tree.ts';

/** A service on a database of one size, with a connection for each caller. */
export interface Site {
  readonly tree: Tree;
  readonly connections: Readonly<Record<Caller, Connection>>;
  close(): Promise<void>;
}

/** What the callers who are no administrators see, each by a policy of their own. */
const SEEN = { auditor: AUDITED, starred: STARRED };
const ADMIN = 'strongroom:admin';

const CREATE_KEY = `mutation ($input: CreateKmsKeyInput!) { createKmsKey(input: $input) {
  ... on KmsKeyPayload { kmsKey { identity } } ... on UserError { code message } } }`;
const KEYS = '{ kmsKeys(first: 1) { nodes { identity } } }';
const PUT_POLICY = `mutation ($input: PutPolicyInput!) { putPolicy(input: $input) {
  ... on PolicyPayload { policy { name } } ... on UserError { code message } } }`;

/** Starts a service on the database of a size, and loads what the database lacks. */
export async function openSite(databases: Databases, issuer: BenchIssuer, size: number): Promise<Site> {
  const databaseUrl = await databases.of(size);
  const service = await startService({
    ...{ DATABASE_URL: databaseUrl, STRONGROOM_ROOT_KEY: databases.rootKey },
    STRONGROOM_ISSUERS: issuer.configuration,
  });
  try {
    const connections = {
      admin: new Connection(service.url, await issuer.mint('operator', ADMIN)),
      auditor: new Connection(service.url, await issuer.mint('auditor', 'auditor')),
      starred: new Connection(service.url, await issuer.mint('starred', 'starred')),
    };
    await prepare(connections.admin);
    await load(databaseUrl, size, databases.rootKey);
    return { tree: treeOf(size), connections, close: () => closeSite(service, Object.values(connections)) };
  } catch (error) {
    await service.stop();
    throw error;
  }
}

async function prepare(admin: Connection): Promise<void> {
  for (const [name, resources] of Object.entries(SEEN)) {
    const permissions = ['SECRET_LIST', 'SECRET_READ'];
    const statements = [{ name: 'see', effect: 'ALLOW', permissions, resources }];
    await admin.ask(PUT_POLICY, { input: { name, statements, subjects: [{ kind: 'ROLE', value: name }] } });
  }
  const { nodes } = await admin.ask(KEYS, {});
  if (Array.isArray(nodes) && nodes.length > 0) return;
  await admin.ask(CREATE_KEY, { input: { name: 'default', keyType: 'AES256_GCM96' } });
}

async function closeSite(service: Service, connections: readonly Connection[]): Promise<void> {
  for (const connection of connections) connection.close();
  await service.stop();
}
