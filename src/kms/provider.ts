import type { SecretBytes } from './secret-bytes.ts';

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

/** One generation of a key, as it is stored. Material and root key are null where the key lives outside. */
export interface KmsKeyGeneration {
  readonly number: number;
  readonly wrappedMaterial: Uint8Array | null;
  readonly rootKeyId: string | null;
}

/**
 * Where KMS keys live. A provider wraps data keys, 32 bytes each, and never sees a secret's value. `context` must be
 * authenticated: with another one `unwrap` fails. It throws `DecryptionFailedError` for what does not open, and
 * anything else when it cannot answer.
 */
export interface KmsProvider {
  readonly name: string;
  /** Makes the first generation, or for a key that lives outside checks that it is there. */
  create(key: KmsKeyReference): Promise<KmsKeyGeneration>;
  /** Makes the generation after `latest`. */
  rotate(key: KmsKeyReference, latest: KmsKeyGeneration): Promise<KmsKeyGeneration>;
  wrap(
    key: KmsKeyReference,
    generation: KmsKeyGeneration,
    dataKey: SecretBytes,
    context: Uint8Array,
  ): Promise<Uint8Array>;
  unwrap(
    key: KmsKeyReference,
    generation: KmsKeyGeneration,
    wrapped: Uint8Array,
    context: Uint8Array,
  ): Promise<SecretBytes>;
  /** Whether this generation could wrap and unwrap now. */
  describe(key: KmsKeyReference, generation: KmsKeyGeneration): Promise<{ readonly usable: boolean }>;
}
