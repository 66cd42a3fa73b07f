import type { Transaction } from '../db/transaction.ts';
import type { SignedCheckpoint } from './checkpoint.ts';

/** Retention checkpoints, the newest first: as rows, to be doubted until the signature is verified. */
export function readRetention(
  tx: Transaction,
  organisation: string,
  region: string,
): Promise<readonly SignedCheckpoint[]> {
  return tx.auditCheckpoint
    .findMany({ where: { organisation, kind: 'RETENTION' }, orderBy: { sequence: 'desc' }, take: 10 })
    .then((rows) => rows.map((row) => ({ ...row, region })));
}

/** The checkpoints after one sequence and up to another, by sequence. */
export async function readCheckpoints(
  tx: Transaction,
  organisation: string,
  region: string,
  after: bigint,
  through: bigint,
): Promise<ReadonlyMap<bigint, readonly SignedCheckpoint[]>> {
  const rows = await tx.auditCheckpoint.findMany({
    where: { organisation, kind: { in: ['HEAD', 'RETENTION'] }, sequence: { gt: after, lte: through } },
  });
  return Map.groupBy(
    rows.map((row) => ({ ...row, region })),
    ({ sequence }) => sequence,
  );
}

/** The checkpoint that stands nearest to a sequence: at or before it, or after it. A row, to be doubted too. */
export async function nearestCheckpoint(
  tx: Transaction,
  organisation: string,
  region: string,
  side: { readonly atMost: bigint } | { readonly above: bigint },
): Promise<SignedCheckpoint | null> {
  const row = await tx.auditCheckpoint.findFirst({
    where: { organisation, sequence: 'atMost' in side ? { lte: side.atMost } : { gt: side.above } },
    orderBy: { sequence: 'atMost' in side ? 'desc' : 'asc' },
  });
  return row && { ...row, region };
}
