import type { Transaction } from '../db/database.ts';
import type { Checkpoint, SignedCheckpoint } from './checkpoint.ts';
import { chainPages, type ChainRow } from './read-chain.ts';
import { type ChainBase, isLink } from './verify-chain.ts';

export interface ChainExport {
  readonly tx: Transaction;
  readonly organisation: string;
  readonly region: string;
  /** The last link before the export begins. */
  readonly base: ChainBase;
  /** The retention checkpoint that the export begins behind; null for one from the first event on, or of a part. */
  readonly retention: SignedCheckpoint | null;
  /** The last sequence that is exported. */
  readonly through: bigint;
  readonly head: ChainBase;
  readonly at: Date;
  readonly publicKeys: readonly { readonly id: string; readonly publicKey: Uint8Array }[];
  readonly sign: (checkpoint: Omit<Checkpoint, 'region'>) => Promise<SignedCheckpoint>;
  readonly onProgress?: (exported: bigint) => void;
}

/** The chain broke while it was exported: what was written so far has no end, and nothing was signed. */
export class BrokenChainError extends Error {
  override readonly name = 'BrokenChainError';
  readonly sequence: bigint;

  constructor(sequence: bigint) {
    super(`The chain is broken at sequence ${sequence.toString()}.`);
    this.sequence = sequence;
  }
}

/**
 * A stretch of a chain as JSON Lines: a header, a line for each event, and a closing line with a signed checkpoint of the last
 * one. Verifies as it goes, so that nothing broken is signed, and throws a `BrokenChainError` instead of the closing line.
 */
export async function* exportChain(given: ChainExport): AsyncGenerator<string, void, undefined> {
  const { tx, organisation, region, base, retention, through, head, at, onProgress } = given;
  yield line({
    type: 'header',
    ...{ format: 'strongroom-audit-export', version: 1, organisation, region },
    ...{ firstSequence: Number(base.sequence + 1n), previousHash: hex(base.hash) },
    ...{ headSequence: Number(head.sequence), headHash: hex(head.hash), exportedAt: at.toISOString() },
    publicKeys: given.publicKeys.map(({ id, publicKey }) => ({ id, publicKey: base64(publicKey) })),
    retention: retention && checkpointOf(retention),
  });
  let last = base;
  for await (const rows of chainPages(tx, organisation, base.sequence, through)) {
    let text = '';
    for (const row of rows) {
      const expected = last.sequence + 1n;
      if (row.sequence !== expected || !isLink(row, last.hash)) throw new BrokenChainError(expected);
      text += line(eventOf(row));
      last = row;
    }
    yield text;
    onProgress?.(last.sequence - base.sequence);
  }
  if (last.sequence < through) throw new BrokenChainError(last.sequence + 1n);
  if (last.sequence === head.sequence && hex(last.hash) !== hex(head.hash))
    throw new BrokenChainError(head.sequence);
  const count = Number(last.sequence - base.sequence);
  // Of a chain without events there is nothing to sign.
  const checkpoint =
    last.sequence === 0n
      ? null
      : await given.sign({ kind: 'HEAD', organisation, sequence: last.sequence, hash: last.hash, at });
  yield line({
    type: 'end',
    ...{ count, lastSequence: Number(last.sequence), lastHash: hex(last.hash) },
    checkpoint: checkpoint && checkpointOf(checkpoint),
  });
}

/** Every field that the hash covers, by its name, and the hashes. */
function eventOf({ sequence, causedBy, at, previousHash, hash, ...fields }: ChainRow) {
  return {
    type: 'event',
    sequence: Number(sequence),
    at: at.toISOString(),
    ...fields,
    causedBy: causedBy === null ? null : Number(causedBy),
    previousHash: hex(previousHash),
    hash: hex(hash),
  };
}

function checkpointOf({ kind, sequence, hash, at, keyId, signature }: SignedCheckpoint) {
  return {
    ...{ kind, sequence: Number(sequence), hash: hex(hash), at: at.toISOString(), keyId },
    signature: base64(signature),
  };
}

function line(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}
