import type { Transaction } from '../db/transaction.ts';
import { genesisHash, linkHash } from './chain.ts';
import type { SignedCheckpoint } from './checkpoint.ts';
import { chainPages, type ChainRow, readChainState } from './read-chain.ts';
import { readCheckpoints, readRetention } from './read-checkpoints.ts';

export interface ChainVerification {
  readonly valid: boolean;
  /** How many events were found to be in order. */
  readonly checked: bigint;
  readonly headSequence: bigint;
  readonly headHash: Uint8Array;
  readonly firstBrokenSequence: bigint | null;
}

/** Where a verification begins: the chain's genesis, or what retention has left. */
export interface ChainBase {
  readonly sequence: bigint;
  readonly hash: Uint8Array;
}

export interface ChainQuestion {
  readonly tx: Transaction;
  readonly organisation: string;
  readonly region: string;
  /** Whether the region's own key signed it. */
  readonly trusts: (checkpoint: SignedCheckpoint) => boolean;
}

/**
 * Verifies a chain from its beginning, or from the newest retention checkpoint, up to the head of now: events that come
 * meanwhile are left out. It reads pages of 1,000 in statements of their own, so it holds neither memory nor a connection.
 */
export async function verifyChain(
  question: ChainQuestion,
  onProgress: (checked: bigint, headSequence: bigint) => void = () => undefined,
): Promise<ChainVerification> {
  const { tx, organisation, region } = question;
  const state = await readChainState(tx, organisation);
  const { headSequence } = state;
  const headHash = state.headHash ?? genesisHash(organisation, region);
  const started = await chainBase(question);
  let base = started;
  const progress = (sequence: bigint) => onProgress(sequence - started.sequence, headSequence);
  let found = await walk(question, base, headSequence, progress);
  for (;;) {
    if (found.broken === null) break;
    // Retention may have taken what was about to be read: then the rest begins behind it.
    const now = await chainBase(question);
    if (now.sequence < found.broken || now.sequence <= base.sequence) break;
    base = now;
    found = await walk(question, base, headSequence, progress);
  }
  const result = (checked: bigint, firstBrokenSequence: bigint | null) => ({
    ...{ valid: firstBrokenSequence === null, checked, headSequence, headHash, firstBrokenSequence },
  });
  const checked = found.last.sequence - started.sequence;
  if (state.firstRow !== null && state.firstRow < 1n) return result(0n, 0n);
  if (found.broken !== null) return result(checked, found.broken);
  if (!equal(found.last.hash, headHash)) return result(checked, headSequence);
  const beyond = [state.lastRow, state.lastSigned].some(
    (sequence) => sequence !== null && sequence > headSequence,
  );
  return result(checked, beyond ? headSequence + 1n : null);
}

/** The sequence and hash from which the events that are there can be verified. */
export async function chainBase({ tx, organisation, region, trusts }: ChainQuestion): Promise<ChainBase> {
  const retention = (await readRetention(tx, organisation, region)).find(trusts);
  return retention ?? { sequence: 0n, hash: genesisHash(organisation, region) };
}

/** Follows the chain up to `through`: the last link in order, and the sequence of the first that is not. */
export async function walk(
  question: ChainQuestion,
  base: ChainBase,
  through: bigint,
  onPage: (sequence: bigint) => void = () => undefined,
): Promise<{ readonly last: ChainBase; readonly broken: bigint | null }> {
  const { tx, organisation, region, trusts } = question;
  let last = base;
  for await (const rows of chainPages(tx, organisation, base.sequence, through)) {
    const to = rows.at(-1)?.sequence ?? last.sequence;
    const signed = await readCheckpoints(tx, organisation, region, last.sequence, to);
    for (const row of rows) {
      const expected = last.sequence + 1n;
      if (row.sequence !== expected || !isLink(row, last.hash)) return { last, broken: expected };
      if (isContradicted(row, signed.get(row.sequence), trusts)) return { last, broken: expected };
      last = row;
    }
    onPage(last.sequence);
  }
  return { last, broken: last.sequence < through ? last.sequence + 1n : null };
}

/** Whether something was signed of the row's place in the chain that is not this row, or not signed by the region's key. */
export function isContradicted(
  row: ChainRow,
  signed: readonly SignedCheckpoint[] | undefined,
  trusts: ChainQuestion['trusts'],
): boolean {
  return (signed ?? []).some((checkpoint) => !equal(checkpoint.hash, row.hash) || !trusts(checkpoint));
}

/** Whether the row is what its hash says, and follows that one. */
export function isLink(row: ChainRow, previousHash: Uint8Array): boolean {
  const { actorRoles } = row;
  if (actorRoles === null) return false;
  return (
    equal(row.previousHash, previousHash) && equal(row.hash, linkHash({ ...row, actorRoles }, previousHash))
  );
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
