import { DecryptionFailedError } from '../../errors.ts';
import { KEY_BYTES } from '../envelope/aead.ts';
import { SecretBytes } from '../envelope/secret-bytes.ts';
import { NoPlace, Places } from '../keys/places.ts';
import {
  ExternalKeyError,
  type KmsKeyGeneration,
  type KmsKeyReference,
  type KmsProvider,
} from '../provider.ts';

const MAX_CALLS_AT_ONCE = 128;
/** Two batches of reads, or of rewraps, are more than run at once: what is over waits for a place within its own time. */
const MAX_CALLS_WAITING = 1_000;
const MAX_WRAPPED_BYTES = 8_192;
const MAX_EXTERNAL_VERSION_CHARACTERS = 256;
/** What a provider is given beyond its own timeout to keep its word. */
const GRACE_MS = 500;

/** The provider did not answer in time, or not with sense. It says nothing of what was sent. */
export class ProviderFailure extends Error {
  override readonly name = 'ProviderFailure';
}

/**
 * A remote provider that is not trusted to behave: each call ends within a time, so many run at once and so many more wait
 * for that, and an answer that cannot be one is a failure. `onFailure` hears of every call that makes a key unavailable.
 */
export class BoundedProvider implements KmsProvider {
  readonly name: string;
  readonly remote: boolean;
  readonly keyTypes: KmsProvider['keyTypes'];
  readonly #provider: KmsProvider;
  readonly #timeoutMs: number;
  readonly #onFailure: (error: unknown) => void;
  readonly #places = new Places(MAX_CALLS_AT_ONCE, MAX_CALLS_WAITING);

  constructor(provider: KmsProvider, timeoutMs: number, onFailure: (error: unknown) => void) {
    this.name = provider.name;
    this.remote = provider.remote;
    this.keyTypes = provider.keyTypes;
    this.#provider = provider;
    this.#timeoutMs = timeoutMs;
    this.#onFailure = onFailure;
  }

  create(key: KmsKeyReference): Promise<KmsKeyGeneration> {
    return this.#call(async () => generationNumbered(1, await this.#provider.create(key)));
  }

  rotate(key: KmsKeyReference, latest: KmsKeyGeneration): Promise<KmsKeyGeneration> {
    return this.#call(async () =>
      generationNumbered(latest.number + 1, await this.#provider.rotate(key, latest)),
    );
  }

  wrap(
    key: KmsKeyReference,
    generation: KmsKeyGeneration,
    dataKey: SecretBytes,
    context: Uint8Array,
  ): Promise<Uint8Array> {
    return this.#call(async () => {
      const wrapped = await this.#provider.wrap(key, generation, dataKey, context);
      const fits = wrapped.byteLength > KEY_BYTES && wrapped.byteLength <= MAX_WRAPPED_BYTES;
      if (fits && !Buffer.from(wrapped).includes(dataKey.reveal())) return wrapped;
      throw new ProviderFailure('The provider answered with what is no wrapped data key.');
    });
  }

  unwrap(
    key: KmsKeyReference,
    generation: KmsKeyGeneration,
    wrapped: Uint8Array,
    context: Uint8Array,
  ): Promise<SecretBytes> {
    return this.#call(async () => {
      const dataKey = await this.#provider.unwrap(key, generation, wrapped, context);
      if (dataKey.byteLength === KEY_BYTES) return dataKey;
      dataKey.zero();
      throw new ProviderFailure('The provider answered with what is no data key.');
    });
  }

  async describe(key: KmsKeyReference, generation: KmsKeyGeneration): Promise<{ readonly usable: boolean }> {
    try {
      // Awaited within: a provider that throws at once must not keep its place among the calls that run.
      const { usable } = await this.#call(async () => this.#provider.describe(key, generation));
      return { usable: (usable as unknown) === true };
    } catch {
      return { usable: false };
    }
  }

  close(): Promise<void> {
    return this.#provider.close();
  }

  async #call<T>(ask: () => Promise<T>): Promise<T> {
    try {
      return await this.#inTime(ask);
    } catch (error) {
      if (!(error instanceof DecryptionFailedError || error instanceof ExternalKeyError))
        this.#onFailure(error);
      throw error;
    }
  }

  /** The caller's time begins now, with the wait for a place in it. */
  async #inTime<T>(ask: () => Promise<T>): Promise<T> {
    const patience = new AbortController();
    const { signal } = patience;
    const timer = setTimeout(
      () => patience.abort(new ProviderFailure('The provider did not answer in time.')),
      this.#timeoutMs + GRACE_MS,
    );
    const late = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    });
    const answer = this.#places.take(signal).then((leave) => this.#ask(ask, leave, signal));
    try {
      return await Promise.race([answer, late]);
    } catch (error) {
      if (error instanceof NoPlace)
        throw new ProviderFailure(`More than ${MAX_CALLS_WAITING} calls wait for the provider.`);
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** The place's time begins when it is taken: it is given back at its end, though the provider may never answer. */
  async #ask<T>(ask: () => Promise<T>, leave: () => void, signal: AbortSignal): Promise<T> {
    const lease = setTimeout(leave, this.#timeoutMs + GRACE_MS);
    try {
      const value = await ask();
      if (signal.aborted && value instanceof SecretBytes) value.zero();
      return value;
    } finally {
      clearTimeout(lease);
      leave();
    }
  }
}

function generationNumbered(number: number, generation: KmsKeyGeneration): KmsKeyGeneration {
  const { externalVersion } = generation;
  const named = externalVersion === null || externalVersion.length <= MAX_EXTERNAL_VERSION_CHARACTERS;
  if (generation.number === number && named) return generation;
  throw new ProviderFailure('The provider answered with what is no generation of the key.');
}
