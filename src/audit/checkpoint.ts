/** HEAD: the chain had this event. RETENTION: besides, the events up to this one may have been removed. */
export type CheckpointKind = 'HEAD' | 'RETENTION';

/** What is signed of a chain. */
export interface Checkpoint {
  readonly kind: CheckpointKind;
  readonly organisation: string;
  readonly region: string;
  readonly sequence: bigint;
  readonly hash: Uint8Array;
  readonly at: Date;
}

export interface SignedCheckpoint extends Checkpoint {
  readonly keyId: string;
  /** Ed25519 (RFC 8032), 64 bytes. */
  readonly signature: Uint8Array;
}

const PURPOSES = {
  HEAD: 'strongroom/audit-checkpoint/1',
  RETENTION: 'strongroom/audit-retention/1',
} as const;

/** The bytes that are signed. The kinds differ in their first field, so that no head can be passed off as a retention. */
export function checkpointMessage({ kind, organisation, region, sequence, hash, at }: Checkpoint): Buffer {
  const fields = [PURPOSES[kind], organisation, region, sequence.toString(), hex(hash), at.toISOString()];
  return Buffer.from(JSON.stringify(fields), 'utf8');
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
