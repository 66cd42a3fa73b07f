import { DecryptionFailedError } from '../../../errors.ts';
import { KEY_BYTES, SEAL_OVERHEAD_BYTES } from '../../envelope/aead.ts';
import { decodeBase64 } from '../../envelope/decode-base64.ts';
import { SecretBytes } from '../../envelope/secret-bytes.ts';
import {
  ExternalKeyError,
  type KmsKeyGeneration,
  type KmsKeyReference,
  type KmsKeyType,
  type KmsProvider,
} from '../../provider.ts';
import { proveExternalKey } from '../prove-external-key.ts';
import { type TransitKey, transitErrors, transitField, transitKey } from './answers.ts';
import { TransitClient } from './client.ts';
import { TRANSIT_KEY_NAME, type TransitConfig } from './config.ts';

const TYPES: Readonly<Record<KmsKeyType, string>> = {
  AES256_GCM96: 'aes256-gcm96',
  CHACHA20_POLY1305: 'chacha20-poly1305',
};
const WRAPPED_BYTES = KEY_BYTES + SEAL_OVERHEAD_BYTES;

/** What transit says of a ciphertext or associated data that was altered: Go's AEADs, and its own code in older releases. */
const DOES_NOT_OPEN = /\bmessage authentication failed$|^invalid ciphertext(?!: version is too new)/;

/**
 * Keys in the transit engine of HashiCorp Vault (1.13 or later) or OpenBao. A generation is a version of the transit
 * key; what is stored is transit's own text, `vault:v<version>:<base64>`. The context goes as associated data, not as
 * the context of a derived key: it is authenticated by the AEAD, and no key is derived for each secret.
 * API: https://developer.hashicorp.com/vault/api-docs/secret/transit, https://openbao.org/api-docs/secret/transit
 */
export class TransitProvider implements KmsProvider {
  readonly name: string;
  readonly remote = true;
  readonly keyTypes = ['AES256_GCM96', 'CHACHA20_POLY1305'] as const;
  readonly #client: TransitClient;
  readonly #timeoutMs: number;

  constructor(config: TransitConfig) {
    this.name = config.name;
    this.#client = new TransitClient(config);
    this.#timeoutMs = config.timeoutMs;
  }

  async create(key: KmsKeyReference): Promise<KmsKeyGeneration> {
    const signal = this.#deadline();
    const { latest_version: version } = await this.#fitKey(key, signal);
    const generation = generationOf(1, version);
    await proveExternalKey(
      {
        wrap: (...args) => this.#wrap(signal, ...args),
        unwrap: (...args) => this.#unwrap(signal, ...args),
      },
      key,
      generation,
    );
    return generation;
  }

  /** Should the caller fail afterwards, the transit key has a version that nobody uses: that does no harm. */
  async rotate(key: KmsKeyReference, latest: KmsKeyGeneration): Promise<KmsKeyGeneration> {
    const signal = this.#deadline();
    const { status, body } = await this.#client.send('POST', `keys/${nameOf(key)}/rotate`, signal, {});
    if (status === 404 || (status === 400 && transitErrors(body).includes('key not found'))) throw missing();
    if (status !== 200 && status !== 204) throw unexpected(status);
    const { latest_version: version } = await this.#fitKey(key, signal);
    if (version <= versionOf(latest)) throw new Error('The transit key has no new version after a rotation.');
    return generationOf(latest.number + 1, version);
  }

  wrap(
    key: KmsKeyReference,
    generation: KmsKeyGeneration,
    dataKey: SecretBytes,
    context: Uint8Array,
  ): Promise<Uint8Array> {
    return this.#wrap(this.#deadline(), key, generation, dataKey, context);
  }

  unwrap(
    key: KmsKeyReference,
    generation: KmsKeyGeneration,
    wrapped: Uint8Array,
    context: Uint8Array,
  ): Promise<SecretBytes> {
    return this.#unwrap(this.#deadline(), key, generation, wrapped, context);
  }

  async describe(key: KmsKeyReference, generation: KmsKeyGeneration): Promise<{ readonly usable: boolean }> {
    const version = versionOf(generation);
    try {
      const found = await this.#fitKey(key, this.#deadline());
      const least = Math.max(found.min_decryption_version, found.min_encryption_version);
      return { usable: least <= version && version <= found.latest_version };
    } catch (error) {
      if (error instanceof ExternalKeyError) return { usable: false };
      throw error;
    }
  }

  close(): Promise<void> {
    this.#client.close();
    return Promise.resolve();
  }

  async #wrap(
    signal: AbortSignal,
    key: KmsKeyReference,
    generation: KmsKeyGeneration,
    dataKey: SecretBytes,
    context: Uint8Array,
  ): Promise<Uint8Array> {
    const version = versionOf(generation);
    const { status, body } = await this.#client.send('POST', `encrypt/${nameOf(key)}`, signal, {
      plaintext: dataKey.revealBase64(),
      associated_data: Buffer.from(context).toString('base64'),
      key_version: version,
    });
    if (status !== 200) throw unexpected(status);
    const ciphertext = transitField(body, 'ciphertext');
    if (!isCiphertext(ciphertext, version)) {
      throw new Error('The transit server answered with no ciphertext of this key version.');
    }
    return Buffer.from(ciphertext, 'ascii');
  }

  async #unwrap(
    signal: AbortSignal,
    key: KmsKeyReference,
    generation: KmsKeyGeneration,
    wrapped: Uint8Array,
    context: Uint8Array,
  ): Promise<SecretBytes> {
    const ciphertext = Buffer.from(wrapped).toString('latin1');
    // Transit would pass over line ends and unused bits of base64, and open another version's ciphertext just as well.
    if (!isCiphertext(ciphertext, versionOf(generation))) throw new DecryptionFailedError();
    const { status, body } = await this.#client.send('POST', `decrypt/${nameOf(key)}`, signal, {
      ciphertext,
      associated_data: Buffer.from(context).toString('base64'),
    });
    if (status === 400 && transitErrors(body).some((error) => DOES_NOT_OPEN.test(error))) {
      throw new DecryptionFailedError();
    }
    if (status !== 200) throw unexpected(status);
    const dataKey = decodeBase64(transitField(body, 'plaintext'), KEY_BYTES);
    if (!dataKey) throw new Error('The transit server answered with no data key.');
    return new SecretBytes(dataKey);
  }

  /** The key as it is now. Throws `ExternalKeyError` for one that is not there or not fit. */
  async #fitKey(key: KmsKeyReference, signal: AbortSignal): Promise<TransitKey> {
    const name = nameOf(key);
    const { status, body } = await this.#client.send('GET', `keys/${name}`, signal);
    if (status === 404) throw missing();
    if (status !== 200) throw unexpected(status);
    const found = transitKey(body);
    if (!found || (found.name !== undefined && found.name !== name)) {
      throw new Error('The transit server did not describe the key.');
    }
    const problem = problemOf(found, key.keyType);
    if (problem !== null) throw new ExternalKeyError(problem);
    return found;
  }

  #deadline(): AbortSignal {
    return AbortSignal.timeout(this.#timeoutMs);
  }
}

function problemOf(key: TransitKey, keyType: KmsKeyType): string | null {
  if (key.type !== TYPES[keyType]) return 'The transit key is of another type.';
  if (!key.supports_encryption || !key.supports_decryption) return 'The transit key does not encrypt.';
  if (key.derived) return 'The transit key is a derived one.';
  if (key.exportable) return 'The transit key can be exported.';
  if (key.allow_plaintext_backup) return 'The transit key can be backed up in plaintext.';
  if (key.soft_deleted === true) return 'The transit key is deleted.';
  return null;
}

function isCiphertext(text: unknown, version: number): text is string {
  const prefix = `vault:v${version}:`;
  return (
    typeof text === 'string' &&
    text.startsWith(prefix) &&
    decodeBase64(text.slice(prefix.length), WRAPPED_BYTES) !== null
  );
}

function generationOf(number: number, version: number): KmsKeyGeneration {
  return { number, wrappedMaterial: null, rootKeyId: null, externalVersion: String(version) };
}

function versionOf({ externalVersion }: KmsKeyGeneration): number {
  if (externalVersion === null || !/^[1-9][0-9]{0,8}$/.test(externalVersion)) {
    throw new Error('The generation has no version of a transit key.');
  }
  return Number(externalVersion);
}

function nameOf({ externalKeyId }: KmsKeyReference): string {
  // Checked here too: what stands in a URL is never believed to have been checked elsewhere.
  if (externalKeyId === null || !TRANSIT_KEY_NAME.test(externalKeyId)) throw missing();
  return externalKeyId;
}

const missing = () => new ExternalKeyError('There is no such transit key.');
const unexpected = (status: number) => new Error(`The transit server answered with HTTP ${status}.`);
