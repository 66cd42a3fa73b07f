import type { Transaction } from '../db/transaction.ts';
import type { Checkpoint, SignedCheckpoint } from './checkpoint.ts';
import { chainPages, type ChainRow } from './read-chain.ts';
import { nearestCheckpoint, readCheckpoints } from './read-checkpoints.ts';
import {
  type ChainBase,
  type ChainQuestion,
  chainBase,
  isContradicted,
  isLink,
  walk,
} from './verify-chain.ts';

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
  readonly trusts: ChainQuestion['trusts'];
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
 * one. Verifies as it goes, from the checkpoint before the stretch to the one after it, so that nothing is signed that is
 * broken or that contradicts what was signed before, and throws a `BrokenChainError` instead of the closing line.
 */
export async function* exportChain(given: ChainExport): AsyncGenerator<string, void, undefined> {
  const { tx, organisation, region, base, retention, through, head, at, onProgress, trusts } = given;
  await requireLedTo(given);
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
    const to = rows.at(-1)?.sequence ?? last.sequence;
    const signed = await readCheckpoints(tx, organisation, region, last.sequence, to);
    for (const row of rows) {
      const expected = last.sequence + 1n;
      if (row.sequence !== expected || !isLink(row, last.hash)) throw new BrokenChainError(expected);
      if (isContradicted(row, signed.get(row.sequence), trusts)) throw new BrokenChainError(expected);
      text += line(eventOf(row));
      last = row;
    }
    yield text;
    onProgress?.(last.sequence - base.sequence);
  }
  if (last.sequence < through) throw new BrokenChainError(last.sequence + 1n);
  if (last.sequence === head.sequence && hex(last.hash) !== hex(head.hash))
    throw new BrokenChainError(head.sequence);
  await requireLeadsOn(given, last);
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

/** Throws unless the chain leads from the checkpoint before the stretch to where the stretch begins. */
async function requireLedTo({ base, ...question }: ChainExport): Promise<void> {
  const { tx, organisation, region, trusts } = question;
  const start = await chainBase(question);
  if (base.sequence <= start.sequence) return;
  const signed = await nearestCheckpoint(tx, organisation, region, { atMost: base.sequence });
  const from = signed && signed.sequence > start.sequence && trusts(signed) ? signed : start;
  const { last, broken } = await walk(question, from, base.sequence);
  if (broken !== null) throw new BrokenChainError(broken);
  if (hex(last.hash) !== hex(base.hash)) throw new BrokenChainError(base.sequence);
}

/** Throws unless the chain leads on from the end of the stretch to the checkpoint after it, if there is one. */
async function requireLeadsOn(question: ChainExport, last: ChainBase): Promise<void> {
  const { tx, organisation, region } = question;
  const signed = await nearestCheckpoint(tx, organisation, region, { above: last.sequence });
  if (!signed) return;
  const { broken } = await walk(question, last, signed.sequence);
  if (broken !== null) throw new BrokenChainError(broken);
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
