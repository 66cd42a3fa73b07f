import { walk } from '../audit/verify-chain.ts';
import { AuditSigner, type ChainRegion } from '../resolvers/audit/audit-signer.ts';

const EVERY_EVENTS = 1_000;
const EVERY_MINUTES = 10;
const BATCH = 100;

interface DueChain {
  readonly organisation: string;
  readonly sequence: bigint;
  readonly hash: Uint8Array;
  readonly signedSequence: bigint | null;
  readonly signedHash: Uint8Array | null;
}

/**
 * Signs the head of every chain that has grown by 1,000 events, or at all for 10 minutes, since its last checkpoint. A chain
 * that does not lead from that checkpoint to its head is not signed: then, once all others are, it throws.
 */
export async function signCheckpoints(regions: readonly ChainRegion[], now: Date): Promise<void> {
  const refused: string[] = [];
  for (const region of regions) {
    const signer = await AuditSigner.openToSign(region, now);
    for (let organisation = ''; ;) {
      const due = await dueChains(region, organisation, now);
      for (const chain of due) {
        const signed = { sequence: chain.signedSequence ?? 0n, hash: chain.signedHash };
        if (await leadsTo(region, signer, chain, signed)) {
          const { organisation, sequence, hash } = chain;
          await signer.sign({ kind: 'HEAD', organisation, sequence, hash, at: now });
        } else refused.push(`${chain.organisation} in ${region.name}`);
      }
      const last = due.at(-1);
      if (!last || due.length < BATCH) break;
      organisation = last.organisation;
    }
  }
  if (refused.length > 0)
    throw new Error(`Audit chains that do not verify are not signed: ${refused.join(', ')}.`);
}

/** Whether the events from the last checkpoint to the head are one chain; before the first checkpoint, nothing is known. */
async function leadsTo(
  region: ChainRegion,
  { trusts }: AuditSigner,
  { organisation, sequence, hash }: DueChain,
  signed: { readonly sequence: bigint; readonly hash: Uint8Array | null },
): Promise<boolean> {
  if (signed.hash === null) return true;
  const question = { tx: region.db.client, organisation, region: region.name, trusts };
  const { last, broken } = await walk(question, { sequence: signed.sequence, hash: signed.hash }, sequence);
  return broken === null && Buffer.compare(last.hash, hash) === 0;
}

function dueChains(region: ChainRegion, after: string, now: Date): Promise<DueChain[]> {
  const before = new Date(now.getTime() - EVERY_MINUTES * 60_000);
  return region.db.client.$queryRaw<DueChain[]>`
    SELECT h.organisation, h.sequence, h.hash, c.sequence AS "signedSequence", c.hash AS "signedHash"
    FROM audit_head h LEFT JOIN LATERAL (
      SELECT sequence, hash, at FROM audit_checkpoint
      WHERE organisation = h.organisation ORDER BY sequence DESC LIMIT 1
    ) c ON true
    WHERE h.organisation > ${after} AND h.sequence > 0 AND (
      c.sequence IS NULL OR h.sequence >= c.sequence + ${EVERY_EVENTS}
      OR (h.sequence > c.sequence AND c.at <= ${before}::timestamptz))
    ORDER BY h.organisation LIMIT ${BATCH}`;
}
