import { createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { type Checkpoint, checkpointMessage, type SignedCheckpoint } from '../../audit/checkpoint.ts';
import type { Transaction } from '../../db/transaction.ts';
import { DecryptionFailedError } from '../../errors.ts';
import { generateSigningKey, openSigningKey, type StoredSigningKey } from '../../kms/keys/signing-key.ts';
import type { Region } from '../context/request-context.ts';

/** What signing and verifying a region's chains takes. */
export type ChainRegion = Pick<Region, 'name' | 'db' | 'rootKeys'>;

interface OpenedKey {
  readonly stored: StoredSigningKey;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

/** The region's keys for checkpoints: those whose private half its root keys open, so that nobody can add one of their own. */
export class AuditSigner {
  readonly #region: ChainRegion;
  /** The newest first. */
  readonly #keys: readonly OpenedKey[];

  private constructor(region: ChainRegion, keys: readonly OpenedKey[]) {
    this.#region = region;
    this.#keys = keys;
  }

  /** With the keys that there are: it may be none, and then nothing can be signed. */
  static async open(region: ChainRegion): Promise<AuditSigner> {
    return new AuditSigner(region, await loadKeys(region, region.db.client));
  }

  /** With a key to sign with: made now if there is none. */
  static async openToSign(region: ChainRegion, at: Date): Promise<AuditSigner> {
    const known = await loadKeys(region, region.db.client);
    if (known.length > 0) return new AuditSigner(region, known);
    const keys = await region.db.transaction(async (tx) => {
      // Two that find no key at once make one between them.
      await tx.$executeRaw`SELECT pg_advisory_xact_lock(hashtext('strongroom audit signing key'))`;
      const made = await loadKeys(region, tx);
      if (made.length > 0) return made;
      const stored = generateSigningKey(region.rootKeys, region.name);
      await tx.auditSigningKey.create({ data: { ...bytesOf(stored), createdAt: at } });
      return loadKeys(region, tx);
    });
    return new AuditSigner(region, keys);
  }

  /** The public keys by their ids, the newest first: SubjectPublicKeyInfo in DER. */
  get publicKeys(): readonly { readonly id: string; readonly publicKey: Uint8Array }[] {
    return this.#keys.map(({ stored: { id, publicKey } }) => ({ id, publicKey }));
  }

  /** Signs with the newest key and keeps the checkpoint; of one that is there already, answers that. */
  async sign(unsigned: Omit<Checkpoint, 'region'>): Promise<SignedCheckpoint> {
    const key = this.#keys[0];
    if (!key) throw new Error('There is no key to sign checkpoints with.');
    const { kind, organisation, sequence, at } = unsigned;
    const keyId = key.stored.id;
    const hash = new Uint8Array(unsigned.hash);
    const signature = new Uint8Array(
      sign(null, checkpointMessage({ ...unsigned, region: this.#region.name }), key.privateKey),
    );
    const checkpoint = { kind, organisation, sequence, hash, at, keyId, signature };
    const { auditCheckpoint } = this.#region.db.client;
    await auditCheckpoint.createMany({ data: [checkpoint], skipDuplicates: true });
    const kept = await auditCheckpoint.findUniqueOrThrow({
      where: { organisation_kind_sequence_keyId: { organisation, kind, sequence, keyId } },
    });
    return { ...kept, region: this.#region.name };
  }

  readonly trusts = (checkpoint: SignedCheckpoint): boolean => {
    const key = this.#keys.find(({ stored }) => stored.id === checkpoint.keyId);
    return (
      key !== undefined && verify(null, checkpointMessage(checkpoint), key.publicKey, checkpoint.signature)
    );
  };
}

async function loadKeys(region: ChainRegion, tx: Transaction): Promise<OpenedKey[]> {
  const rows = await tx.auditSigningKey.findMany({ orderBy: [{ createdAt: 'desc' }, { id: 'desc' }] });
  return rows.flatMap((stored) => {
    try {
      const privateKey = openSigningKey(region.rootKeys, region.name, stored);
      return [{ stored, privateKey, publicKey: createPublicKey(privateKey) }];
    } catch (error) {
      if (error instanceof DecryptionFailedError) return [];
      throw error;
    }
  });
}

export function bytesOf({ id, publicKey, wrappedPrivateKey, rootKeyId }: StoredSigningKey) {
  return {
    ...{ id, rootKeyId },
    publicKey: new Uint8Array(publicKey),
    wrappedPrivateKey: new Uint8Array(wrappedPrivateKey),
  };
}
