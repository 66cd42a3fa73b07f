import type { AuditEvent } from '../audit/event.ts';
import { recordTogether } from '../audit/record.ts';
import type { Transaction } from '../db/database.ts';
import { findSecretsByKey, type Scope, type SecretRow } from '../db/secret-row.ts';
import { touchAccess } from '../db/touch-access.ts';
import { InvalidInputError, NotFoundError, VersionDestroyedError } from '../errors.ts';
import type { KeySession } from '../kms/key-session.ts';
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
import { auditActor, isRecordable } from './operate.ts';
import type { ReadRequest } from './parse-read-request.ts';
import type { ReadOutcome, SecretValue } from './read-values.ts';
import type { Region, RequestContext } from './request-context.ts';
import { bindKey } from './usable-key.ts';
import { openVersion } from './versions.ts';
import { withPoliciesOfAll } from './with-policies.ts';

/** What one request reads. */
export interface Reading {
  readonly ctx: RequestContext;
  readonly keys: KeySession;
  readonly requests: readonly ReadRequest[];
}

/** What came of one reading, with what is to be recorded of it. */
interface Done {
  readonly outcomes: ReadOutcome[];
  readonly events: AuditEvent[];
  readonly read: { secretId: string; number: number }[];
}

/**
 * Reads in one transaction for all these requests, which are of one organisation. For each its outcomes, or the error
 * that it stopped with, such as `RemoteCallNeeded`: then nothing is recorded of it, and the others go on.
 */
export async function readTogether(
  region: Region,
  readings: readonly Reading[],
): Promise<readonly (readonly ReadOutcome[] | Error)[]> {
  const organisation = readings[0]?.ctx.principal.organisation ?? '';
  const contexts = readings.map(({ ctx }) => ctx);
  return withPoliciesOfAll(contexts, region, async (tx, factsOf) => {
    const storedFor = await loadAll(tx, readings, factsOf);
    const results: (Done | Error)[] = [];
    for (const reading of readings) {
      results.push(await readAll(region, reading, factsOf(reading.ctx), storedFor(reading.ctx)));
    }
    const done = results.map((result) => (result instanceof Error ? null : result));
    const at = new Date(Math.max(...contexts.map(({ now }) => now().getTime())));
    const read = done.flatMap((one) => one?.read ?? []);
    await touchAccess(tx, organisation, read, at);
    const doings = contexts.map((ctx, index) => ({
      actor: auditActor(ctx),
      at,
      events: done[index]?.events ?? [],
    }));
    await recordTogether(tx, region.name, organisation, doings);
    return results.map((result) => (result instanceof Error ? result : result.outcomes));
  });
}

async function readAll(
  region: Region,
  { ctx, keys, requests }: Reading,
  facts: Facts,
  stored: Stored,
): Promise<Done | Error> {
  const done: Done = { outcomes: [], events: [], read: [] };
  try {
    await keys.each(requests, async (request) => {
      const event = new EventDraft('secret.getValue', 'secret', request.path);
      try {
        const operation = { ctx, region, event, keys, facts, at: facts.at };
        const { secretId, value } = await readOne(operation, stored, request);
        done.outcomes.push(value);
        done.events.push(event.succeeded());
        done.read.push({ secretId, number: value.version });
      } catch (error) {
        if (!isRecordable(error)) throw error;
        done.outcomes.push(error);
        done.events.push(event.failed(error));
      }
    });
    return done;
  } catch (error) {
    return error instanceof Error ? error : new Error('Not an error was thrown.');
  }
}

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

type Stored = Awaited<ReturnType<typeof load>>;

/** What is stored for each scope among the readings. */
async function loadAll(
  tx: Transaction,
  readings: readonly Reading[],
  factsOf: (ctx: RequestContext) => Facts,
): Promise<(ctx: RequestContext) => Stored> {
  const projects = Map.groupBy(readings, ({ ctx }) => ctx.principal.project);
  const stored = new Map<string, Stored>();
  for (const [project, members] of projects) {
    const [first] = members;
    if (!first) continue;
    const wishes = members.flatMap(({ ctx, requests }) => {
      const deciding = { ctx, facts: factsOf(ctx) };
      return requests.map((request) => ({ deciding, request }));
    });
    stored.set(project, await load(tx, first.ctx.principal, wishes));
  }
  return ({ principal }) => {
    const found = stored.get(principal.project);
    if (!found) throw new Error('A scope was not loaded.');
    return found;
  };
}

interface Wish {
  readonly deciding: Deciding;
  readonly request: ReadRequest;
}

/**
 * Everything that the requests may need, a query a table. Values that the caller may not read are not even loaded: the time
 * that a large one takes would tell that it is there.
 */
async function load(tx: Transaction, scope: Scope, wishes: readonly Wish[]) {
  const { organisation, project } = scope;
  const rows = await findSecretsByKey(tx, scope, [
    ...new Set(wishes.map(({ request }) => pathKey(request.path))),
  ]);
  const secrets = new Map<string, SecretRow>(rows.map((row) => [row.path, row]));
  const wanted = wishes.flatMap(({ deciding, request: { path, version } }) => {
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
