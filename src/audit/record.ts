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
  const head = await lockHead(tx, actor.organisation, region);
  const common = {
    organisation: actor.organisation,
    region,
    at,
    project: actor.project,
    actorSubject: actor.subject,
    actorIssuer: actor.issuer,
    actorRoles: [...actor.roles],
    requestId: actor.requestId,
    sourceIp: actor.sourceIp,
    userAgent: actor.userAgent,
  };
  let { sequence, hash } = head;
  const rows: (ChainLink & { previousHash: Uint8Array<ArrayBuffer>; hash: Uint8Array<ArrayBuffer> })[] = [];
  const append = (event: Omit<AuditEvent, 'effects'>, causedBy: bigint | null): bigint => {
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
  for (const event of events) {
    const cause = append(event, null);
    for (const effect of event.effects) append({ ...effect, outcome: 'SUCCESS', errorCode: null }, cause);
  }
  await tx.auditEvent.createMany({
    data: rows.map((row) => ({ ...row, actorRoles: [...row.actorRoles], details: { ...row.details } })),
  });
  await tx.auditHead.update({ where: { organisation: actor.organisation }, data: { sequence, hash } });
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
