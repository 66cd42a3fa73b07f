import { createHash } from 'node:crypto';
import { DecryptionFailedError } from '../../../errors.ts';
import { KEY_BYTES } from '../../envelope/aead.ts';
import { SecretBytes } from '../../envelope/secret-bytes.ts';
import {
  ExternalKeyError,
  type KmsKeyGeneration,
  type KmsKeyReference,
  type KmsProvider,
} from '../../provider.ts';
import { proveExternalKey } from '../prove-external-key.ts';
import { AwsKmsClient, AwsKmsError, type AwsKmsSdk } from './client.ts';
import { AWS_KEY_ARN, type AwsKmsConfig } from './config.ts';

/** The most that Decrypt takes. */
const MAX_CIPHERTEXT_BYTES = 6144;
const DOES_NOT_OPEN = ['InvalidCiphertextException', 'IncorrectKeyException'];
const NO_SUCH_KEY = ['NotFoundException', 'InvalidArnException'];
const NO_ROTATION = [...NO_SUCH_KEY, 'UnsupportedOperationException'];

/**
 * Symmetric keys in AWS KMS. AWS knows by itself with which of a key's materials a ciphertext opens, so a generation
 * has no name there: it counts the rotations that were asked for here. The context goes as the encryption context, as a
 * hash, because AWS writes encryption contexts to its logs in plain.
 * API: https://docs.aws.amazon.com/kms/latest/APIReference/
 */
export class AwsKmsProvider implements KmsProvider {
  readonly name: string;
  readonly remote = true;
  readonly keyTypes = ['AES256_GCM96'] as const;
  readonly #client: AwsKmsClient;
  readonly #timeoutMs: number;

  private constructor(config: AwsKmsConfig, sdk: AwsKmsSdk) {
    this.name = config.name;
    this.#client = new AwsKmsClient(sdk, config);
    this.#timeoutMs = config.timeoutMs;
  }

  /** The SDK is an optional package: whoever configures no such provider need not install it. */
  static async open(
    config: AwsKmsConfig,
    load: () => Promise<AwsKmsSdk> = () => import('@aws-sdk/client-kms'),
  ): Promise<AwsKmsProvider> {
    const sdk = await load().catch((cause: unknown) => {
      const sentence = 'A KMS provider of the kind aws-kms needs the package @aws-sdk/client-kms';
      throw new Error(`${sentence}: npm install @aws-sdk/client-kms.`, { cause });
    });
    return new AwsKmsProvider(config, sdk);
  }

  async create(key: KmsKeyReference): Promise<KmsKeyGeneration> {
    const signal = this.#deadline();
    if (!(await this.#isFit(key, signal)))
      throw new ExternalKeyError('The AWS KMS key is not there or not fit.');
    const generation = generationOf(1);
    await proveExternalKey(
      {
        wrap: (_key, _generation, dataKey, context) => this.#wrap(signal, key, dataKey, context),
        unwrap: (_key, _generation, wrapped, context) => this.#unwrap(signal, key, wrapped, context),
      },
      key,
      generation,
    );
    return generation;
  }

  /** AWS begins the rotation and ends it when it likes: until then it wraps with the material before. */
  async rotate(key: KmsKeyReference, latest: KmsKeyGeneration): Promise<KmsKeyGeneration> {
    const signal = this.#deadline();
    try {
      await this.#client.rotateKeyOnDemand(arnOf(key), signal);
    } catch (error) {
      if (is(error, NO_ROTATION)) throw new ExternalKeyError('The AWS KMS key cannot be rotated.');
      throw error;
    }
    return generationOf(latest.number + 1);
  }

  wrap(
    key: KmsKeyReference,
    _generation: KmsKeyGeneration,
    dataKey: SecretBytes,
    context: Uint8Array,
  ): Promise<Uint8Array> {
    return this.#wrap(this.#deadline(), key, dataKey, context);
  }

  unwrap(
    key: KmsKeyReference,
    _generation: KmsKeyGeneration,
    wrapped: Uint8Array,
    context: Uint8Array,
  ): Promise<SecretBytes> {
    return this.#unwrap(this.#deadline(), key, wrapped, context);
  }

  async describe(key: KmsKeyReference): Promise<{ readonly usable: boolean }> {
    return { usable: await this.#isFit(key, this.#deadline()) };
  }

  close(): Promise<void> {
    this.#client.close();
    return Promise.resolve();
  }

  async #wrap(
    signal: AbortSignal,
    key: KmsKeyReference,
    dataKey: SecretBytes,
    context: Uint8Array,
  ): Promise<Uint8Array> {
    const plaintext = dataKey.reveal();
    const blob = await this.#client.encrypt(arnOf(key), plaintext, encryptionContext(context), signal);
    if (!blob || blob.byteLength <= KEY_BYTES || blob.byteLength > MAX_CIPHERTEXT_BYTES) {
      throw new AwsKmsError('no ciphertext of this key');
    }
    return blob;
  }

  async #unwrap(
    signal: AbortSignal,
    key: KmsKeyReference,
    wrapped: Uint8Array,
    context: Uint8Array,
  ): Promise<SecretBytes> {
    if (wrapped.byteLength === 0 || wrapped.byteLength > MAX_CIPHERTEXT_BYTES)
      throw new DecryptionFailedError();
    try {
      const opened = await this.#client.decrypt(arnOf(key), wrapped, encryptionContext(context), signal);
      if (opened?.byteLength === KEY_BYTES) {
        return new SecretBytes(Buffer.from(opened.buffer, opened.byteOffset, opened.byteLength));
      }
      opened?.fill(0);
    } catch (error) {
      if (is(error, DOES_NOT_OPEN)) throw new DecryptionFailedError();
      throw error;
    }
    throw new AwsKmsError('no data key');
  }

  async #isFit(key: KmsKeyReference, signal: AbortSignal): Promise<boolean> {
    const arn = arnOf(key);
    try {
      const { KeyMetadata: found } = await this.#client.describeKey(arn, signal);
      if (found?.Arn !== arn) throw new AwsKmsError('no description of this key');
      return (
        found.Enabled === true &&
        found.KeySpec === 'SYMMETRIC_DEFAULT' &&
        found.KeyUsage === 'ENCRYPT_DECRYPT' &&
        found.KeyManager === 'CUSTOMER' &&
        key.keyType === 'AES256_GCM96'
      );
    } catch (error) {
      if (is(error, NO_SUCH_KEY)) return false;
      throw error;
    }
  }

  #deadline(): AbortSignal {
    return AbortSignal.timeout(this.#timeoutMs);
  }
}

function encryptionContext(context: Uint8Array): Record<string, string> {
  return { strongroom: createHash('sha256').update(context).digest('base64') };
}

function generationOf(number: number): KmsKeyGeneration {
  return { number, wrappedMaterial: null, rootKeyId: null, externalVersion: null };
}

function arnOf({ externalKeyId }: KmsKeyReference): string {
  // An alias could be pointed at another key, so it is refused even when it got this far.
  if (externalKeyId === null || !AWS_KEY_ARN.test(externalKeyId)) {
    throw new ExternalKeyError('There is no such AWS KMS key.');
  }
  return externalKeyId;
}

function is(error: unknown, reasons: readonly string[]): boolean {
  return error instanceof AwsKmsError && reasons.includes(error.reason);
}
