import type { ChainHead } from '../../audit/append.ts';
import type { AuditEvent } from '../../audit/event.ts';
import { recordIn } from '../../audit/record.ts';
import type { Run } from '../../db/statements.ts';
import type { KeySession } from '../../kms/keys/key-session.ts';
import type { Region, RequestContext } from '../context/request-context.ts';
import { noticeOfChanges } from './announce-changes.ts';
import type { EventDraft } from './event-draft.ts';
import { auditActor, isRecordable, withKeys } from './operate.ts';
import type { StatementOperation } from './operation.ts';
import { type TakenPolicies, withTakenPolicies } from './with-policies.ts';

/**
 * `operate` for the operations that write most often, by prepared statements alone. It promises the same: when `work`
 * throws a `UserError` its transaction is undone, and the refusal or failure is recorded in one of its own before the
 * error is thrown again.
 */
export async function operateByStatements<T>(
  ctx: RequestContext,
  region: Region,
  draft: () => EventDraft,
  work: (operation: StatementOperation) => Promise<T>,
): Promise<T> {
  return withKeys(region, (keys) =>
    withTakenPolicies([ctx], region, (policies) => transact({ ctx, region, keys }, policies, draft, work)),
  );
}

type Started = Pick<StatementOperation, 'ctx' | 'region'> & { readonly keys: KeySession };

async function transact<T>(
  started: Started,
  policies: TakenPolicies,
  draft: () => EventDraft,
  work: (operation: StatementOperation) => Promise<T>,
): Promise<T> {
  const { db, heads } = started.region;
  const { organisation } = started.ctx.principal;
  const facts = policies.factsOf(started.ctx);
  let event = draft();
  const finish = async (run: Run, finished: AuditEvent): Promise<ChainHead> => {
    const head = await recordIn(run, recordingOf(started, facts.at, finished));
    await policies.requireUnchanged(run);
    return head;
  };
  try {
    const { result, head } = await db.writes.transaction(async (run) => {
      event = draft();
      const done = await work({ ...started, run, event, facts, at: facts.at });
      return { result: done, head: await finish(run, event.succeeded()) };
    });
    heads.saw(organisation, head);
    return result;
  } catch (error) {
    if (!isRecordable(error)) throw error;
    const failed = event.failed(error);
    heads.saw(organisation, await db.writes.transaction((run) => finish(run, failed)));
    throw error;
  }
}

function recordingOf({ ctx, region }: Started, at: Date, event: AuditEvent) {
  const { organisation } = ctx.principal;
  const notice = noticeOfChanges(organisation, [event]);
  const doings = [{ actor: auditActor(ctx), events: [event] }];
  return { organisation, region: region.name, at, doings, read: [], notice };
}
