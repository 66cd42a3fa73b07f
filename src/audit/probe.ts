import { randomInt, randomUUID } from 'node:crypto';
import type { Database } from '../db/database.ts';

/** Undoes the probe. */
class Undo extends Error {}

/** Throws, within 3 seconds, unless an event could be written now: one is, of no organisation, and undone. */
export async function requireRecording(db: Pick<Database, 'client'>, at: Date): Promise<void> {
  const hash = new Uint8Array(32);
  const nothing = { organisation: '', project: '', region: '', requestId: '', resourceType: '', details: {} };
  try {
    await db.client.$transaction(
      async (tx) => {
        await tx.$executeRaw`SELECT set_config('lock_timeout', '1s', true), set_config('statement_timeout', '2s', true)`;
        await tx.$executeRaw`SELECT sequence FROM audit_head LIMIT 1`;
        await tx.auditEvent.create({
          data: {
            ...nothing,
            ...{ id: randomUUID(), at, sequence: BigInt(-randomInt(1, 2 ** 47)) },
            ...{ action: 'probe', outcome: 'SUCCESS', actorSubject: '', actorIssuer: '', actorRoles: [] },
            ...{ previousHash: hash, hash },
          },
        });
        throw new Undo();
      },
      { maxWait: 2_000, timeout: 3_000 },
    );
  } catch (error) {
    if (!(error instanceof Undo)) throw error;
  }
}
