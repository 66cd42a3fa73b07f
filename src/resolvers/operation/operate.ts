import type { AuditActor } from '../../audit/event.ts';
import { record } from '../../audit/record.ts';
import { runIn } from '../../db/statements.ts';
import { DecryptionFailedError, UserError } from '../../errors.ts';
import { KeySession } from '../../kms/keys/key-session.ts';
import type { Region, RequestContext } from '../context/request-context.ts';
import { noticeOfChanges } from './announce-changes.ts';
import type { EventDraft } from './event-draft.ts';
import type { Operation } from './operation.ts';
import { withPolicies } from './with-policies.ts';

/**
 * Runs an operation in one transaction with its audit event. When `work` throws a `UserError` its writes are undone, the
 * refusal or failure is recorded, and the error is thrown again once that is committed. Anything else undoes all of it.
 * `work` runs again where Postgres undid it for another's sake, or where a remote KMS provider had to be asked first.
 */
export async function operate<T>(
  ctx: RequestContext,
  region: Region,
  draft: () => EventDraft,
  work: (operation: Operation) => Promise<T>,
): Promise<T> {
  return withKeys(region, (keys) => transact(ctx, region, keys, draft, work));
}

/** Runs `transact` as often as it takes to have asked the remote KMS providers that it needs. */
export async function withKeys<T>(region: Region, transact: (keys: KeySession) => Promise<T>): Promise<T> {
  const keys = new KeySession(region.keyCache);
  try {
    return await keys.run(() => transact(keys));
  } finally {
    keys.close();
  }
}

async function transact<T>(
  ctx: RequestContext,
  region: Region,
  keys: KeySession,
  draft: () => EventDraft,
  work: (operation: Operation) => Promise<T>,
): Promise<T> {
  const outcome = await withPolicies(ctx, region, async (tx, facts) => {
    const operation = { ctx, region, tx, run: runIn(tx), event: draft(), keys, facts, at: facts.at };
    await tx.$executeRaw`SAVEPOINT operation`;
    try {
      const result = await work(operation);
      const event = operation.event.succeeded();
      const notice = noticeOfChanges(ctx.principal.organisation, [event]);
      const head = await record(tx, region.name, auditActor(ctx), operation.at, [event], notice);
      return { result, error: null, head };
    } catch (error) {
      if (!isRecordable(error)) throw error;
      await tx.$executeRaw`ROLLBACK TO SAVEPOINT operation`;
      const failed = operation.event.failed(error);
      const head = await record(tx, region.name, auditActor(ctx), operation.at, [failed]);
      return { error, result: null as never, head };
    }
  });
  region.heads.saw(ctx.principal.organisation, outcome.head);
  if (outcome.error) throw outcome.error;
  return outcome.result;
}

/** Failures that are outcomes of an operation, and so events of the log. */
export function isRecordable(error: unknown): error is UserError | DecryptionFailedError {
  return error instanceof UserError || error instanceof DecryptionFailedError;
}

export function auditActor(ctx: RequestContext): AuditActor {
  const { organisation, project, subject, issuer, roles } = ctx.principal;
  const { requestId, clientAddress, userAgent } = ctx;
  return { organisation, project, subject, issuer, roles, requestId, sourceIp: clientAddress, userAgent };
}
