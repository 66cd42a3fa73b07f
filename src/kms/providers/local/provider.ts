import { randomBytes } from 'node:crypto';
import { DecryptionFailedError } from '../../../errors.ts';
import { aeadOpen, aeadSeal, KEY_BYTES } from '../../envelope/aead.ts';
import { canonical } from '../../envelope/canonical.ts';
import { SecretBytes } from '../../envelope/secret-bytes.ts';
import { type KeyCache, ownerOf } from '../../keys/key-cache.ts';
import type { RootKeys } from '../../keys/root-keys.ts';
import type { KmsKeyGeneration, KmsKeyReference, KmsProvider } from '../../provider.ts';

/** Keys made here and stored wrapped by the region's root key; what is unwrapped stays for a while in the cache. */
export class LocalProvider implements KmsProvider {
  readonly name = 'local';
  readonly remote = false;
  readonly keyTypes = ['AES256_GCM96', 'CHACHA20_POLY1305'] as const;
  readonly #rootKeys: RootKeys;
  readonly #cache: KeyCache;

  constructor(rootKeys: RootKeys, cache: KeyCache) {
    this.#rootKeys = rootKeys;
    this.#cache = cache;
  }

  create(key: KmsKeyReference): Promise<KmsKeyGeneration> {
    return Promise.resolve(this.#generate(key, 1));
  }

  rotate(key: KmsKeyReference, latest: KmsKeyGeneration): Promise<KmsKeyGeneration> {
    return Promise.resolve(this.#generate(key, latest.number + 1));
  }

  wrap(
    key: KmsKeyReference,
    generation: KmsKeyGeneration,
    dataKey: SecretBytes,
    context: Uint8Array,
  ): Promise<Uint8Array> {
    return this.#withMaterial(key, generation, (material) =>
      aeadSeal(key.keyType, material, dataKey.reveal(), context),
    );
  }

  unwrap(
    key: KmsKeyReference,
    generation: KmsKeyGeneration,
    wrapped: Uint8Array,
    context: Uint8Array,
  ): Promise<SecretBytes> {
    return this.#withMaterial(
      key,
      generation,
      (material) => new SecretBytes(aeadOpen(key.keyType, material, wrapped, context)),
    );
  }

  async describe(key: KmsKeyReference, generation: KmsKeyGeneration): Promise<{ readonly usable: boolean }> {
    try {
      return await this.#withMaterial(key, generation, () => ({ usable: true }));
    } catch (error) {
      if (error instanceof DecryptionFailedError) return { usable: false };
      throw error;
    }
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #generate(key: KmsKeyReference, number: number): KmsKeyGeneration {
    const material = new SecretBytes(randomBytes(KEY_BYTES));
    try {
      const { wrapped, rootKeyId } = this.#rootKeys.wrap(material, materialContext(key, number));
      return { number, wrappedMaterial: wrapped, rootKeyId, externalVersion: null };
    } finally {
      material.zero();
    }
  }

  #withMaterial<T>(
    key: KmsKeyReference,
    generation: KmsKeyGeneration,
    use: (material: Buffer) => T,
  ): Promise<T> {
    const { number, wrappedMaterial, rootKeyId } = generation;
    if (!wrappedMaterial || rootKeyId === null) return Promise.reject(new DecryptionFailedError());
    const context = materialContext(key, number);
    // What names it is no secret, and is not hashed: this is on the way of every value.
    const id = canonical([context, rootKeyId, wrappedMaterial]).toString('latin1');
    const unwrap = () => this.#rootKeys.unwrap(rootKeyId, wrappedMaterial, context);
    return this.#cache.use(ownerOf(key), id, unwrap, use);
  }
}

/** A version's material under the newest root key, whichever it was under. Throws `DecryptionFailedError`. */
export function rewrapMaterial(
  rootKeys: RootKeys,
  key: KmsKeyReference,
  { number, wrappedMaterial, rootKeyId }: KmsKeyGeneration,
): { readonly wrapped: Uint8Array; readonly rootKeyId: string } {
  if (!wrappedMaterial || rootKeyId === null) throw new DecryptionFailedError();
  const context = materialContext(key, number);
  const material = rootKeys.unwrap(rootKeyId, wrappedMaterial, context);
  try {
    return rootKeys.wrap(material, context);
  } finally {
    material.zero();
  }
}

function materialContext(key: KmsKeyReference, number: number): Buffer {
  const { organisation, region, project, identity, keyType } = key;
  return canonical(['strongroom/key-material/1', organisation, region, project, identity, keyType, number]);
}
