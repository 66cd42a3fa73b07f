import type { SecretBytes } from './envelope/secret-bytes.ts';

export type KmsKeyType = 'AES256_GCM96' | 'CHACHA20_POLY1305';

/** Which key: everything that its material is bound to. `project` is '' for a key of the organisation itself. */
export interface KmsKeyReference {
  readonly organisation: string;
  readonly region: string;
  readonly project: string;
  readonly identity: string;
  readonly keyType: KmsKeyType;
  readonly externalKeyId: string | null;
}

/**
 * One generation of a key, as it is stored: a local key has its material, wrapped by a root key; one that lives outside
 * has the name that its provider gave the generation.
 */
export interface KmsKeyGeneration {
  readonly number: number;
  readonly wrappedMaterial: Uint8Array | null;
  readonly rootKeyId: string | null;
  /** The provider's own name of the generation, at most 256 characters: a transit key's version, a PKCS#11 CKA_ID. */
  readonly externalVersion: string | null;
}

/**
 * Where KMS keys live. A provider wraps data keys, 32 bytes each, and never sees a secret's value. `context` must be
 * authenticated: with another one `unwrap` fails. Every method throws
 * - `DecryptionFailedError` for a wrapped data key that does not open, whatever is the matter with it;
 * - `ExternalKeyError` from `create` and `rotate` when the external key is not there or not fit for use;
 * - anything else when it cannot answer, which makes the key unavailable to the caller. It must do so within its timeout.
 */
export interface KmsProvider {
  /** The operator's name for it; `local` is the service itself. */
  readonly name: string;
  /** Whether it answers from outside this process: then it is called before a transaction, never inside one. */
  readonly remote: boolean;
  /** The algorithms that its keys may have. */
  readonly keyTypes: readonly KmsKeyType[];
  /** Makes the first generation, or for a key that lives outside checks that it is there and works. */
  create(key: KmsKeyReference): Promise<KmsKeyGeneration>;
  /** Makes the generation after `latest`. */
  rotate(key: KmsKeyReference, latest: KmsKeyGeneration): Promise<KmsKeyGeneration>;
  /** At most 8 KiB come back. */
  wrap(
    key: KmsKeyReference,
    generation: KmsKeyGeneration,
    dataKey: SecretBytes,
    context: Uint8Array,
  ): Promise<Uint8Array>;
  /** The caller zeroes what comes back. */
  unwrap(
    key: KmsKeyReference,
    generation: KmsKeyGeneration,
    wrapped: Uint8Array,
    context: Uint8Array,
  ): Promise<SecretBytes>;
  /** Whether this generation could wrap and unwrap now. */
  describe(key: KmsKeyReference, generation: KmsKeyGeneration): Promise<{ readonly usable: boolean }>;
  /** Lets go of connections, sessions and child processes. */
  close(): Promise<void>;
}

/** The external key is not there, or not fit for use: its type, its algorithm, its rights. The message quotes nothing. */
export class ExternalKeyError extends Error {
  override readonly name = 'ExternalKeyError';
}
