import { DecryptionFailedError } from '../../../errors.ts';
import { SecretBytes } from '../../envelope/secret-bytes.ts';
import {
  ExternalKeyError,
  type KmsKeyGeneration,
  type KmsKeyReference,
  type KmsProvider,
} from '../../provider.ts';
import { Pkcs11Child } from './child.ts';
import type { Pkcs11Config } from './config.ts';
import { type Pkcs11Call, type Pkcs11Result, Pkcs11Failure } from './messages.ts';

/**
 * Keys in a token or hardware security module that speaks PKCS#11. `externalKeyId` is the CKA_LABEL of an AES-256 key,
 * `externalVersion` the CKA_ID of one generation of it, in hexadecimal.
 */
export class Pkcs11Provider implements KmsProvider {
  readonly name: string;
  readonly remote = true;
  readonly keyTypes = ['AES256_GCM96'] as const;
  readonly #child: Pkcs11Child;

  constructor(config: Pkcs11Config) {
    this.name = config.name;
    this.#child = new Pkcs11Child(config);
  }

  /**
   * Sees to it that the package pkcs11js works, or throws an error that says what to install. The token need not answer
   * yet: a service whose token is away can still start.
   */
  static async open(config: Pkcs11Config): Promise<Pkcs11Provider> {
    const provider = new Pkcs11Provider(config);
    try {
      await provider.#call({ call: 'load' });
      return provider;
    } catch (error) {
      await provider.close();
      throw error;
    }
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  async create(key: KmsKeyReference): Promise<KmsKeyGeneration> {
    if (key.keyType !== 'AES256_GCM96') {
      throw new ExternalKeyError('A token seals with AES256_GCM96 and nothing else');
    }
    if (!key.externalKeyId)
      throw new ExternalKeyError('A key of a token needs an externalKeyId, its CKA_LABEL');
    return generation(1, await this.#callForKey({ call: 'create', label: key.externalKeyId }));
  }

  async rotate(key: KmsKeyReference, latest: KmsKeyGeneration): Promise<KmsKeyGeneration> {
    return generation(
      latest.number + 1,
      await this.#callForKey({ call: 'rotate', key: keyName(key, latest) }),
    );
  }

  async wrap(
    key: KmsKeyReference,
    generation: KmsKeyGeneration,
    dataKey: SecretBytes,
    context: Uint8Array,
  ): Promise<Uint8Array> {
    const name = keyName(key, generation);
    return bytesOf(await this.#call({ call: 'wrap', key: name, bytes: dataKey.reveal(), context }));
  }

  async unwrap(
    key: KmsKeyReference,
    generation: KmsKeyGeneration,
    wrapped: Uint8Array,
    context: Uint8Array,
  ): Promise<SecretBytes> {
    const name = keyName(key, generation);
    const bytes = bytesOf(await this.#call({ call: 'unwrap', key: name, bytes: wrapped, context }));
    // The memory that came, not a copy of it: what is zeroed later is all that this process has.
    return new SecretBytes(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  }

  async describe(key: KmsKeyReference, generation: KmsKeyGeneration): Promise<{ readonly usable: boolean }> {
    try {
      await this.#callForKey({ call: 'describe', key: keyName(key, generation) });
      return { usable: true };
    } catch (error) {
      if (error instanceof ExternalKeyError) return { usable: false };
      throw error;
    }
  }

  close(): Promise<void> {
    return this.#child.close();
  }

  /** For calls that tell the caller what is wrong with the key. */
  async #callForKey(call: Pkcs11Call): Promise<Pkcs11Result> {
    try {
      return await this.#child.call(call);
    } catch (error) {
      if (error instanceof Pkcs11Failure && error.kind === 'externalKey') {
        throw new ExternalKeyError(error.message);
      }
      throw this.#told(error);
    }
  }

  async #call(call: Pkcs11Call): Promise<Pkcs11Result> {
    try {
      return await this.#child.call(call);
    } catch (error) {
      throw this.#told(error);
    }
  }

  #told(error: unknown): unknown {
    if (!(error instanceof Pkcs11Failure)) return error;
    if (error.kind === 'decryption') return new DecryptionFailedError();
    return new Error(`KMS provider ${this.name}: ${error.message}`);
  }
}

function keyName(
  { externalKeyId }: KmsKeyReference,
  { externalVersion }: KmsKeyGeneration,
): { readonly label: string; readonly id: string } {
  if (!externalKeyId || !externalVersion) throw new Error('The KMS key names no key of the token');
  return { label: externalKeyId, id: externalVersion };
}

function generation(number: number, result: Pkcs11Result): KmsKeyGeneration {
  if (!result || !('id' in result)) throw new Error('The process answered out of turn');
  return { number, wrappedMaterial: null, rootKeyId: null, externalVersion: result.id };
}

function bytesOf(result: Pkcs11Result): Uint8Array {
  if (!result || !('bytes' in result)) throw new Error('The process answered out of turn');
  return result.bytes;
}
