import type { ChainHead } from '../../audit/append.ts';
import type { AuditEvent } from '../../audit/event.ts';
import { recordIn } from '../../audit/record.ts';
import type { Run } from '../../db/statements.ts';
import { KeySession } from '../../kms/keys/key-session.ts';
import type { Region, RequestContext } from '../context/request-context.ts';
import { noticeOfChanges } from './announce-changes.ts';
import { auditActor } from './audit-actor.ts';
import type { EventDraft } from './event-draft.ts';
import type { StatementOperation } from './operation.ts';
import { isRecordable } from './recordable.ts';
import { type TakenPolicies, withTakenPolicies } from './taken-policies.ts';

/** What an operation is asked in, by whom and where, and what becomes of its event. */
export interface Asked {
  readonly ctx: RequestContext;
  readonly region: Region;
  readonly draft: () => EventDraft;
}

/** What a transaction hands to those who work in it. */
interface Access {
  readonly run: Run;
}

/** Runs `attempt` in one transaction and commits it; again, a few times, where Postgres undid it for another's sake. */
type InTransaction<A extends Access> = <R>(attempt: (access: A) => Promise<R>) => Promise<R>;

/**
 * The promise of every operation, in whichever way its statements run.
 *
 * `work` and its audit event commit together or not at all; the event comes last, so the head of the chain is locked last
 * and shortest. Those who follow changes are woken after the commit. When `work` throws a `UserError` or
 * `DecryptionFailedError`, all that it wrote is undone, the refusal or failure is recorded in a transaction of its own, and the
 * error is thrown again once that is committed. Anything else undoes all and records nothing. `work` runs again where
 * Postgres undid it, where policies changed under it, or where a remote KMS provider had to be asked first.
 */
export async function transact<A extends Access, T>(
  { ctx, region, draft }: Asked,
  inTransaction: InTransaction<A>,
  work: (operation: StatementOperation & A) => Promise<T>,
): Promise<T> {
  const keys = new KeySession(region.keyCache);
  try {
    return await keys.run(() =>
      withTakenPolicies([ctx], region, (policies) =>
        attempt({ ctx, region, draft }, keys, policies, inTransaction, work),
      ),
    );
  } finally {
    keys.close();
  }
}

async function attempt<A extends Access, T>(
  { ctx, region, draft }: Asked,
  keys: KeySession,
  policies: TakenPolicies,
  inTransaction: InTransaction<A>,
  work: (operation: StatementOperation & A) => Promise<T>,
): Promise<T> {
  const { organisation } = ctx.principal;
  const facts = policies.factsOf(ctx);
  const { at } = facts;
  const finish = async (run: Run, event: AuditEvent): Promise<ChainHead> => {
    const doings = [{ actor: auditActor(ctx), events: [event] }];
    const notice = noticeOfChanges(organisation, [event]);
    const head = await recordIn(run, { organisation, region: region.name, at, doings, read: [], notice });
    await policies.requireUnchanged(run);
    return head;
  };
  let event = draft();
  try {
    const { result, head } = await inTransaction(async (access) => {
      event = draft();
      const done = await work({ ...access, ctx, region, event, keys, facts, at });
      return { result: done, head: await finish(access.run, event.succeeded()) };
    });
    region.heads.saw(organisation, head);
    return result;
  } catch (error) {
    if (!isRecordable(error)) throw error;
    const failed = event.failed(error);
    region.heads.saw(organisation, await inTransaction(({ run }) => finish(run, failed)));
    throw error;
  }
}
