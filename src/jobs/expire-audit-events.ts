import { chainBase, type ChainBase, walk } from '../audit/verify-chain.ts';
import { findAuditEvents } from '../db/audit/find-audit-events.ts';
import { AuditSigner, type ChainRegion } from '../resolvers/audit/audit-signer.ts';
import { DAY_MS } from '../resolvers/operation/day.ts';

const BATCH = 2_000;
const ANY = {
  ...{ project: null, actions: null, outcome: null, subject: null, issuer: null, resource: null },
  ...{ folder: null, requestId: null, until: null },
};

/**
 * Removes the events older than the period from the beginning of every chain, up to the first that is younger. First it
 * verifies them and signs the last: from that checkpoint the rest still verifies. What an earlier run left undone it goes
 * on with. A chain that does not verify keeps its events, which are evidence; once all others are done, it throws.
 */
export async function expireAuditEvents(
  regions: readonly ChainRegion[],
  now: Date,
  retentionDays: number,
): Promise<void> {
  const broken: string[] = [];
  const cutoff = new Date(now.getTime() - retentionDays * DAY_MS);
  for (const region of regions) {
    const signer = await AuditSigner.openToSign(region, now);
    const heads = await region.db.client.auditHead.findMany({ select: { organisation: true } });
    for (const { organisation } of heads) {
      const signed = await signRetention(region, signer, organisation, cutoff, now);
      if (!signed) broken.push(`${organisation} in ${region.name}`);
      await removeSigned(region, organisation);
    }
  }
  if (broken.length > 0)
    throw new Error(`Audit chains that do not verify keep their events: ${broken.join(', ')}.`);
}

/** Signs the last event of the old prefix, if there is a new one; false for a prefix that does not verify. */
async function signRetention(
  region: ChainRegion,
  signer: AuditSigner,
  organisation: string,
  cutoff: Date,
  now: Date,
): Promise<boolean> {
  const tx = region.db.client;
  const question = { tx, organisation, region: region.name, trusts: signer.trusts };
  const base = await chainBase(question);
  const last = await lastBefore(region, organisation, base, cutoff);
  if (last === null) return true;
  const { last: reached, broken } = await walk(question, base, last);
  if (broken !== null) return false;
  await signer.sign({ kind: 'RETENTION', organisation, sequence: last, hash: reached.hash, at: now });
  return true;
}

/** The sequence before the first event that is young enough to stay; null when none goes. */
async function lastBefore(
  region: ChainRegion,
  organisation: string,
  base: ChainBase,
  cutoff: Date,
): Promise<bigint | null> {
  const tx = region.db.client;
  const all = { ...ANY, organisation };
  const from = { above: base.sequence, below: null, limit: 1 };
  const [first] = await findAuditEvents(tx, { ...all, since: cutoff }, { ...from, ascending: true });
  if (first) return first.sequence - 1n > base.sequence ? first.sequence - 1n : null;
  const [newest] = await findAuditEvents(tx, { ...all, since: null }, { ...from, ascending: false });
  return newest?.sequence ?? null;
}

/** In batches, each a transaction of its own: a function with the right to delete does it, which this role lacks. */
async function removeSigned({ db }: ChainRegion, organisation: string): Promise<void> {
  for (;;) {
    const [answer] = await db.client.$queryRaw<[{ removed: number }]>`
      SELECT expire_audit_events(${organisation}, ${BATCH}::int) AS removed`;
    if (answer.removed === 0) return;
  }
}
