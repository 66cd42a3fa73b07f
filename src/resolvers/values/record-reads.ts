import type { Recording } from '../../audit/append.ts';
import { recordIn, tryRecord } from '../../audit/record.ts';
import { isLockTimeout, runIn } from '../../db/statements.ts';
import type { Region } from '../context/request-context.ts';
import type { TakenPolicies } from '../operation/taken-policies.ts';

/**
 * Records reads durably. Most often the chain ends where this gateway last saw it, and one statement does it all; where
 * others write too, its head is locked first.
 */
export async function recordReads(
  { db, heads }: Region,
  recording: Recording,
  policies: TakenPolicies,
): Promise<void> {
  const { organisation } = recording;
  await policies.requireUnchanged(runIn(db.client));
  const expected = heads.expected(organisation);
  if (expected) {
    try {
      const { appended, head } = await tryRecord(db.statements.run, recording, expected);
      if (appended) {
        heads.saw(organisation, head);
        // Where it had to wait after all. The event stays, one too many, and the value does not leave.
        return await policies.requireUnchanged(runIn(db.client));
      }
    } catch (error) {
      if (!isLockTimeout(error)) throw error;
    }
    heads.missed(organisation);
  }
  const head = await db.statements.transaction(async (run) => {
    const recorded = await recordIn(run, recording);
    // No other connection is asked while the chain is locked: those who wait for it may have them all.
    await policies.requireUnchanged(null);
    return recorded;
  });
  heads.saw(organisation, head);
}
