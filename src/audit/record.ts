import type { Notice } from '../db/notifications.ts';
import { type Run, runIn, type Statement } from '../db/statements.ts';
import type { Transaction } from '../db/transaction.ts';
import {
  APPEND_CHANGES,
  APPEND_EVENTS,
  APPEND_READS,
  type Appended,
  type ChainHead,
  linked,
  type Recording,
} from './append.ts';
import { genesisHash } from './chain.ts';
import type { AuditActor, AuditEvent } from './event.ts';

/**
 * Appends events to the organisation's chain, each followed by the KMS events that it caused, in the transaction of what
 * they describe. It locks the chain's head until that ends, so it comes last in a transaction. `at` is the time of all.
 * `notice` is given once that has committed. The new end of the chain is returned.
 */
export function record(
  tx: Transaction,
  region: string,
  actor: AuditActor,
  at: Date,
  events: readonly AuditEvent[],
  notice: Notice | null = null,
): Promise<ChainHead> {
  const { organisation } = actor;
  return recordIn(runIn(tx), { organisation, region, at, doings: [{ actor, events }], read: [], notice });
}

/** The same for what several actors of one organisation did and read, in the transaction that `run` runs statements in. */
export async function recordIn(run: Run, recording: Recording): Promise<ChainHead> {
  for (let head = await lockedHead(run, recording); ;) {
    const attempt = await tryRecord(run, recording, head);
    if (attempt.appended) return attempt.head;
    // It is locked now, so the next attempt finds it as it is.
    head = attempt.head;
  }
}

async function lockedHead(run: Run, recording: Recording): Promise<ChainHead> {
  const [head] = await run<ChainHead>(LOCK_HEAD, [recording.organisation]);
  return head ?? genesis(recording);
}

/** Records all where the chain ends as expected; where it does not, nothing, and says where it ends. */
export async function tryRecord(
  run: Run,
  recording: Recording,
  expected: ChainHead,
): Promise<{ readonly appended: boolean; readonly head: ChainHead }> {
  const { head, values } = linked(recording, expected);
  if (head.sequence === expected.sequence) return { appended: true, head };
  const [found] = await run<Appended>(appending(recording), values);
  if (found?.appended) return { appended: true, head };
  if (found) return { appended: false, head: found };
  const first = genesis(recording);
  await run(BEGIN_CHAIN, [recording.organisation, Buffer.from(first.hash)]);
  return { appended: false, head: first };
}

function appending({ read, notice }: Recording): Statement {
  if (read.length > 0) return APPEND_READS;
  return notice ? APPEND_CHANGES : APPEND_EVENTS;
}

/** What the first event of a chain points back to. */
export function genesis({ organisation, region }: Pick<Recording, 'organisation' | 'region'>): ChainHead {
  return { sequence: 0n, hash: genesisHash(organisation, region) };
}

const LOCK_HEAD: Statement = {
  name: 'lock-head',
  text: 'SELECT sequence, hash FROM audit_head WHERE organisation = $1 FOR UPDATE',
};
const BEGIN_CHAIN: Statement = {
  name: 'begin-chain',
  text: 'INSERT INTO audit_head (organisation, sequence, hash) VALUES ($1, 0, $2::bytea) ON CONFLICT DO NOTHING',
};
