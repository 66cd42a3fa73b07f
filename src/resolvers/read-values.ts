import type { AuditEvent } from '../audit/event.ts';
import { record } from '../audit/record.ts';
import type { Transaction } from '../db/database.ts';
import { findSecretsByKey, type SecretRow } from '../db/secret-row.ts';
import { touchAccess } from '../db/touch-access.ts';
import {
  type DecryptionFailedError,
  InvalidInputError,
  NotFoundError,
  type UserError,
  VersionDestroyedError,
} from '../errors.ts';
import type { SecretContent } from '../kms/envelope.ts';
import { KeySession } from '../kms/key-session.ts';
import type { Facts } from '../policy/decide.ts';
import { pathKey } from '../policy/secret-path.ts';
import {
  type Deciding,
  may,
  requireAccessPolicy,
  requireKeyUse,
  requireOnSecret,
  secretAt,
} from './authorise.ts';
import { EventDraft } from './event-draft.ts';
import { bindKey } from './usable-key.ts';
import { auditActor, isRecordable } from './operate.ts';
import type { ReadRequest } from './parse-read-request.ts';
import type { Region, RequestContext } from './request-context.ts';
import { openVersion } from './versions.ts';
import { withPolicies } from './with-policies.ts';

/** A value in the open, with what sealed it. */
export interface SecretValue {
  readonly path: string;
  readonly version: number;
  readonly content: SecretContent;
  readonly kmsKeyIdentity: string;
  readonly kmsKeyVersion: number;
}

export type ReadOutcome = SecretValue | UserError | DecryptionFailedError;

/**
 * Reads values in one transaction with their audit events and the times of their last access: what is handed back has
 * been committed. One outcome for each request, in their order; a failed one takes no other with it.
 */
export async function readValues(
  ctx: RequestContext,
  region: Region,
  requests: readonly ReadRequest[],
): Promise<readonly ReadOutcome[]> {
  if (requests.length === 0) return [];
  ctx.limits.countValues(requests.length);
  const keys = new KeySession(region.keyCache);
  try {
    return await keys.run(() => readInTransaction(ctx, region, keys, requests));
  } finally {
    keys.close();
  }
}

function readInTransaction(
  ctx: RequestContext,
  region: Region,
  keys: KeySession,
  requests: readonly ReadRequest[],
): Promise<readonly ReadOutcome[]> {
  return withPolicies(ctx, region, async (tx, facts) => {
    const { at } = facts;
    const stored = await load(tx, { ctx, facts }, requests);
    const outcomes: ReadOutcome[] = [];
    const events: AuditEvent[] = [];
    const read: { secretId: string; number: number }[] = [];
    await keys.each(requests, async (request) => {
      const event = new EventDraft('secret.getValue', 'secret', request.path);
      try {
        const { secretId, value } = await readOne({ ctx, region, event, keys, facts, at }, stored, request);
        outcomes.push(value);
        events.push(event.succeeded());
        read.push({ secretId, number: value.version });
      } catch (error) {
        if (!isRecordable(error)) throw error;
        outcomes.push(error);
        events.push(event.failed(error));
      }
    });
    await touchAccess(tx, ctx.principal.organisation, read, at);
    await record(tx, region.name, auditActor(ctx), at, events);
    return outcomes;
  });
}

type Stored = Awaited<ReturnType<typeof load>>;

async function readOne(
  operation: {
    readonly ctx: RequestContext;
    readonly region: Region;
    readonly event: EventDraft;
    readonly keys: KeySession;
    readonly facts: Facts;
    readonly at: Date;
  },
  stored: Stored,
  request: ReadRequest,
): Promise<{ readonly secretId: string; readonly value: SecretValue }> {
  const { event } = operation;
  const secret = stored.secret(request.path);
  if (!secret) throw new NotFoundError('secret');
  event.resourceId = secret.id;
  event.version = request.version;
  requireOnSecret(operation, 'SECRET_GET_VALUE', secret.path);
  requireKeyUse(operation, secret);
  requireAccessPolicy(operation, 'SECRET_GET_VALUE', secret);
  const number = request.version ?? secret.currentVersion;
  const version = number === null ? undefined : stored.version(secret.id, number);
  if (!version) throw new NotFoundError('version');
  event.version = version.number;
  if (version.status === 'DESTROYED') throw new VersionDestroyedError(version.number);
  if (request.keys && version.valueFormat !== 'KEY_VALUE') {
    throw new InvalidInputError([...request.field, 'keys'], 'Only a KEY_VALUE version has keys.');
  }
  const kmsKey = stored.kmsKey(secret.kmsKeyIdentity);
  if (!kmsKey) throw new NotFoundError('kmsKey');
  const generation = kmsKey.versions.find((candidate) => candidate.number === version.kmsKeyVersion);
  const key = bindKey(operation, kmsKey, generation);
  const content = await openVersion(operation, secret, version, key, request.keys ?? undefined);
  if (!content) throw new NotFoundError('entry');
  if (request.keys) event.details['entries'] = String(request.keys.length);
  const { path, kmsKeyIdentity } = secret;
  const value = {
    path,
    version: version.number,
    content,
    kmsKeyIdentity,
    kmsKeyVersion: version.kmsKeyVersion,
  };
  return { secretId: secret.id, value };
}

/**
 * Everything that the requests may need, a query a table. Values that the caller may not read are not even loaded: the time
 * that a large one takes would tell that it is there.
 */
async function load(tx: Transaction, deciding: Deciding, requests: readonly ReadRequest[]) {
  const { ctx } = deciding;
  const { organisation, project } = ctx.principal;
  const rows = await findSecretsByKey(tx, ctx.principal, [
    ...new Set(requests.map(({ path }) => pathKey(path))),
  ]);
  const secrets = new Map<string, SecretRow>(rows.map((row) => [row.path, row]));
  const wanted = requests.flatMap(({ path, version }) => {
    const secret = secrets.get(path);
    const number = version ?? secret?.currentVersion;
    if (!may(deciding, 'SECRET_GET_VALUE', secretAt(path))) return [];
    return secret && number != null ? [{ secretId: secret.id, number }] : [];
  });
  const identities = [...new Set(rows.map((row) => row.kmsKeyIdentity))];
  const versions = await tx.secretVersion.findMany({ where: { organisation, OR: wanted } });
  const versionsOf = new Map(versions.map((version) => [`${version.secretId}/${version.number}`, version]));
  const generations = [...new Set(versions.map((version) => version.kmsKeyVersion))];
  const kmsKeys = await tx.kmsKey.findMany({
    where: { organisation, project, identity: { in: identities } },
    include: { versions: { where: { number: { in: generations } } } },
  });
  const keys = new Map(kmsKeys.map((key) => [key.identity, key]));
  return {
    secret: (path: string) => secrets.get(path),
    version: (secretId: string, number: number) => versionsOf.get(`${secretId}/${number}`),
    kmsKey: (identity: string) => keys.get(identity),
  };
}
