import type { ReadVersion, Recording } from '../../audit/append.ts';
import type { AuditEvent } from '../../audit/event.ts';
import { findStoredValues, type StoredValue } from '../../db/stored-values.ts';
import { InvalidInputError, NotFoundError, VersionDestroyedError } from '../../errors.ts';
import type { Facts } from '../../policy/facts.ts';
import { pathKey } from '../../policy/secret-path.ts';
import type { ReadOutcome, ReadRequest, SecretValue } from '../context/reads.ts';
import type { Region, RequestContext, Reading } from '../context/request-context.ts';
import {
  may,
  requireAccessPolicy,
  requireKeyUse,
  requireOnSecret,
  secretAt,
} from '../operation/authorise.ts';
import { EventDraft } from '../operation/event-draft.ts';
import { isRecordable } from '../operation/recordable.ts';
import { auditActor } from '../operation/audit-actor.ts';
import { type TakenPolicies, withTakenPolicies } from '../operation/taken-policies.ts';
import { bindKey } from '../rows/usable-key.ts';
import { openVersion } from '../rows/versions.ts';
import { recordReads } from './record-reads.ts';

/** What came of one reading, with what is to be recorded of it. */
interface Done {
  readonly outcomes: ReadOutcome[];
  readonly events: AuditEvent[];
  readonly read: ReadVersion[];
}

/**
 * Reads together for all these requests, which are of one organisation. For each its outcomes, once they are recorded, or
 * the error that it stopped with, such as `RemoteCallNeeded`: then nothing is recorded of it, and the others go on.
 * Loading takes no lock and recording is one statement, so that a transaction around the two would promise nothing more.
 */
export function readTogether(
  region: Region,
  readings: readonly Reading[],
  turnToRecord: () => Promise<void>,
): Promise<readonly (readonly ReadOutcome[] | Error)[]> {
  const contexts = readings.map(({ ctx }) => ctx);
  return withTakenPolicies(contexts, region, async (policies) => {
    const results = await openAll(region, readings, policies);
    await turnToRecord();
    policies.requireFresh();
    await recordReads(region, recordingOf(region, contexts, results), policies);
    return results.map((result) => (result instanceof Error ? result : result.outcomes));
  });
}

async function openAll(
  region: Region,
  readings: readonly Reading[],
  policies: TakenPolicies,
): Promise<readonly (Done | Error)[]> {
  const deciding = readings.map((reading) => ({ ...reading, region, facts: policies.factsOf(reading.ctx) }));
  const organisation = readings[0]?.ctx.principal.organisation ?? '';
  const wishes = deciding.flatMap(({ ctx, facts, requests }) =>
    requests.map(({ path, version }) => ({
      ...{ version, project: ctx.principal.project, pathKey: pathKey(path) },
      mayOpen: may({ ctx, facts }, 'SECRET_GET_VALUE', secretAt(path)),
    })),
  );
  const stored = (await findStoredValues(region.db.statements.run, organisation, wishes)).values();
  const results: (Done | Error)[] = [];
  for (const reading of deciding) {
    const items = reading.requests.map((request) => ({ request, stored: stored.next().value }));
    results.push(await openEach(reading, items));
  }
  return results;
}

type DecidedReading = Reading & { readonly region: Region; readonly facts: Facts };

interface Item {
  readonly request: ReadRequest;
  readonly stored: StoredValue | undefined;
}

async function openEach(reading: DecidedReading, items: readonly Item[]): Promise<Done | Error> {
  const done: Done = { outcomes: [], events: [], read: [] };
  try {
    await reading.keys.each(items, async (item) => {
      const event = new EventDraft('secret.getValue', 'secret', item.request.path);
      try {
        const { secretId, value } = await openOne({ ...reading, event, at: reading.facts.at }, item);
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

async function openOne(
  operation: DecidedReading & { readonly event: EventDraft; readonly at: Date },
  { request, stored }: Item,
): Promise<{ readonly secretId: string; readonly value: SecretValue }> {
  const { event } = operation;
  if (!stored) throw new NotFoundError('secret');
  const { secret, version, kmsKey, generation } = stored;
  event.resourceId = secret.id;
  event.version = request.version;
  requireOnSecret(operation, 'SECRET_GET_VALUE', secret.path);
  requireKeyUse(operation, secret);
  requireAccessPolicy(operation, 'SECRET_GET_VALUE', secret);
  if (!version) throw new NotFoundError('version');
  event.version = version.number;
  if (version.status === 'DESTROYED') throw new VersionDestroyedError(version.number);
  if (request.keys && version.valueFormat !== 'KEY_VALUE') {
    throw new InvalidInputError([...request.field, 'keys'], 'Only a KEY_VALUE version has keys.');
  }
  if (!kmsKey) throw new NotFoundError('kmsKey');
  const key = bindKey(operation, kmsKey, generation);
  const content = await openVersion(operation, secret, version, key, request.keys ?? undefined);
  if (!content) throw new NotFoundError('entry');
  if (request.keys) event.details['entries'] = String(request.keys.length);
  const { path, kmsKeyIdentity } = secret;
  const { kmsKeyVersion } = version;
  return {
    secretId: secret.id,
    value: { path, version: version.number, content, kmsKeyIdentity, kmsKeyVersion },
  };
}

function recordingOf(
  { name }: Region,
  contexts: readonly RequestContext[],
  results: readonly (Done | Error)[],
): Recording {
  const done = results.map((result) => (result instanceof Error ? null : result));
  return {
    organisation: contexts[0]?.principal.organisation ?? '',
    region: name,
    at: new Date(Math.max(...contexts.map(({ now }) => now().getTime()))),
    doings: contexts.map((ctx, index) => ({ actor: auditActor(ctx), events: done[index]?.events ?? [] })),
    read: done.flatMap((one) => one?.read ?? []),
  };
}
