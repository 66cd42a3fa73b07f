import { randomUUID } from 'node:crypto';
import type { Transaction } from '../db/database.ts';
import { type ChainLink, genesisHash, linkHash } from './chain.ts';
import type { AuditActor, AuditEvent } from './event.ts';

/**
 * Appends events to the organisation's chain, each followed by the KMS events that it caused, in the transaction of what
 * they describe. It locks the chain's head until that ends, so it comes last in a transaction. `at` is the time of all.
 */
export async function record(
  tx: Transaction,
  region: string,
  actor: AuditActor,
  at: Date,
  events: readonly AuditEvent[],
): Promise<void> {
  await recordTogether(tx, region, actor.organisation, [{ actor, at, events }]);
}

/** What one actor did, in the order in which it is to stand in the chain. */
export interface Doing {
  readonly actor: AuditActor;
  readonly at: Date;
  readonly events: readonly AuditEvent[];
}

/** The same for what several actors of one organisation did in one transaction. */
export async function recordTogether(
  tx: Transaction,
  region: string,
  organisation: string,
  doings: readonly Doing[],
): Promise<void> {
  if (doings.every(({ events }) => events.length === 0)) return;
  const head = await lockHead(tx, organisation, region);
  let { sequence, hash } = head;
  const rows: (ChainLink & { previousHash: Uint8Array<ArrayBuffer>; hash: Uint8Array<ArrayBuffer> })[] = [];
  const append = (common: Common, event: Omit<AuditEvent, 'effects'>, causedBy: bigint | null): bigint => {
    const { action, outcome, errorCode, resourceType, resource, resourceId, version, details } = event;
    const link: ChainLink = {
      ...common,
      sequence: ++sequence,
      id: randomUUID(),
      ...{ action, outcome, errorCode, resourceType, resource, resourceId, version, causedBy, details },
    };
    const previousHash = hash;
    hash = new Uint8Array(linkHash(link, previousHash));
    rows.push({ ...link, previousHash, hash });
    return sequence;
  };
  for (const { actor, at, events } of doings) {
    const common = commonOf(actor, region, at);
    for (const event of events) {
      const cause = append(common, event, null);
      for (const effect of event.effects) {
        append(common, { ...effect, outcome: 'SUCCESS', errorCode: null }, cause);
      }
    }
  }
  await tx.auditEvent.createMany({
    data: rows.map((row) => ({ ...row, actorRoles: [...row.actorRoles], details: { ...row.details } })),
  });
  await tx.auditHead.update({ where: { organisation }, data: { sequence, hash } });
}

type Common = ReturnType<typeof commonOf>;

/** What all events of a request have in common. */
function commonOf(actor: AuditActor, region: string, at: Date) {
  const { organisation, project, requestId, sourceIp, userAgent } = actor;
  return {
    ...{ organisation, region, at, project, requestId, sourceIp, userAgent },
    ...{ actorSubject: actor.subject, actorIssuer: actor.issuer, actorRoles: [...actor.roles] },
  };
}

interface ChainHead {
  readonly sequence: bigint;
  readonly hash: Uint8Array<ArrayBuffer>;
}

async function lockHead(tx: Transaction, organisation: string, region: string): Promise<ChainHead> {
  const lock = () => tx.$queryRaw<ChainHead[]>`
    SELECT sequence, hash FROM audit_head WHERE organisation = ${organisation} FOR UPDATE`;
  const head = (await lock())[0];
  if (head) return head;
  const hash = new Uint8Array(genesisHash(organisation, region));
  await tx.auditHead.createMany({ data: [{ organisation, sequence: 0n, hash }], skipDuplicates: true });
  const created = (await lock())[0];
  if (!created) throw new Error('The audit chain has no head.');
  return created;
}
