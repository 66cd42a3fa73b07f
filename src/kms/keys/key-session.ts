import { randomBytes } from 'node:crypto';
import { KEY_BYTES } from '../envelope/aead.ts';
import { canonical } from '../envelope/canonical.ts';
import type { BoundKey } from '../envelope/envelope.ts';
import { SecretBytes } from '../envelope/secret-bytes.ts';
import type { KmsKeyGeneration, KmsKeyReference, KmsProvider } from '../provider.ts';
import { type KeyCache, materialId, ownerOf } from './key-cache.ts';

/** Thrown where a transaction needs what only a remote provider can answer: it must end before that is asked. */
export class RemoteCallNeeded extends Error {
  override readonly name = 'RemoteCallNeeded';

  constructor() {
    super('A remote KMS provider has to be asked before the transaction begins.');
  }
}

/** After so many beginnings a call is made while the transaction waits: others keep changing what it is about. */
const ROUNDS_OUTSIDE = 3;

type Answer = { readonly value: SecretBytes | Uint8Array | KmsKeyGeneration } | { readonly error: unknown };

/**
 * The KMS calls of one operation. No transaction is to be open, with its locks and its connection, while a provider
 * elsewhere takes its time: so an operation that needs a remote answer stops there without effect, the answer is
 * fetched, and the operation runs again from its beginning, deciding everything anew, with the answer at hand.
 */
export class KeySession {
  readonly #cache: KeyCache;
  readonly #answers = new Map<string, Answer>();
  readonly #pending = new Map<string, () => Promise<Answer>>();
  readonly #dataKeys = new Map<string, SecretBytes>();
  /** Data keys to be wrapped: their owner zeroes his while the call is still to come, or never comes. */
  readonly #toWrap: SecretBytes[] = [];
  readonly #toForget = new Set<string>();
  /** What the cache had forgotten when the transaction began to look at rows. */
  #epoch: number;
  #round = 1;

  constructor(cache: KeyCache) {
    this.#cache = cache;
    this.#epoch = cache.epoch;
  }

  /** Runs a transaction as often as it needs answers from outside. It must be able to run again. */
  async run<T>(transaction: () => Promise<T>): Promise<T> {
    for (; ; this.#round++) {
      this.#epoch = this.#cache.epoch;
      try {
        return await transaction();
      } catch (error) {
        if (!(error instanceof RemoteCallNeeded)) throw error;
      }
      const asked = [...this.#pending];
      this.#pending.clear();
      await Promise.all(asked.map(async ([id, ask]) => this.#answers.set(id, await ask())));
    }
  }

  /** Works on each; what all of them have to ask of remote providers is asked at once. */
  async each<T>(items: Iterable<T>, work: (item: T) => Promise<void>): Promise<void> {
    let needed: RemoteCallNeeded | null = null;
    for (const item of items) {
      try {
        await work(item);
      } catch (error) {
        if (!(error instanceof RemoteCallNeeded)) throw error;
        needed = error;
      }
    }
    if (needed) throw needed;
  }

  /** Has the cache drop all material of a KMS key when the operation has ended. */
  forgetAtClose(owner: string): void {
    this.#toForget.add(owner);
  }

  /** Zeroes every key that was fetched or made. */
  close(): void {
    for (const owner of this.#toForget) this.#cache.forget(owner);
    for (const answer of this.#answers.values()) {
      if ('value' in answer && answer.value instanceof SecretBytes) answer.value.zero();
    }
    for (const dataKey of [...this.#dataKeys.values(), ...this.#toWrap]) dataKey.zero();
  }

  bind(provider: KmsProvider, reference: KmsKeyReference): BoundKey {
    if (!provider.remote) return { provider, reference };
    return {
      reference,
      provider: this.#answering(provider),
      freshDataKey: (context) => this.#freshDataKey(reference, context),
    };
  }

  /** The provider as far as its answers are known. */
  #answering(provider: KmsProvider): KmsProvider {
    const { name, remote, keyTypes } = provider;
    const idOf = (key: KmsKeyReference, what: string, number: number, ...parts: Uint8Array[]) =>
      materialId(
        canonical([name, what, key.organisation, key.identity, key.externalKeyId ?? '', number, ...parts]),
      );
    return {
      ...{ name, remote, keyTypes },
      create: (key) => this.#answer(idOf(key, 'create', 1), () => provider.create(key)),
      rotate: (key, latest) =>
        this.#answer(idOf(key, 'rotate', latest.number), () => provider.rotate(key, latest)),
      describe: (key, generation) => provider.describe(key, generation),
      wrap: async (key, generation, dataKey, context) => {
        const id = idOf(key, 'wrap', generation.number, context, Buffer.from(materialId(dataKey.reveal())));
        const kept = copyOf(dataKey);
        this.#toWrap.push(kept);
        return this.#answer(id, () =>
          provider.wrap(key, generation, kept, context).finally(() => kept.zero()),
        );
      },
      unwrap: async (key, generation, wrapped, context) => {
        const id = idOf(key, 'unwrap', generation.number, wrapped, context);
        const cached = this.#cache.copy(id);
        if (cached) return cached;
        const epoch = this.#epoch;
        const fetch = () =>
          this.#cache.use(
            ownerOf(key),
            id,
            () => provider.unwrap(key, generation, wrapped, context),
            copyBytes,
            epoch,
          );
        return copyOf(await this.#answer(id, fetch));
      },
      close: () => provider.close(),
    };
  }

  async #answer<T extends SecretBytes | Uint8Array | KmsKeyGeneration>(
    id: string,
    ask: () => Promise<T>,
  ): Promise<T> {
    const answer = this.#answers.get(id);
    if (!answer && this.#round <= ROUNDS_OUTSIDE) {
      this.#pending.set(id, () => settled(ask));
      throw new RemoteCallNeeded();
    }
    const known = answer ?? (await settled(ask));
    this.#answers.set(id, known);
    if ('error' in known) throw known.error;
    return known.value as T;
  }

  /** The same data key each time that the operation comes by, since it is being wrapped. The caller zeroes its copy. */
  #freshDataKey(reference: KmsKeyReference, context: Uint8Array): SecretBytes {
    const id = materialId(Buffer.from(reference.identity), context);
    const made = this.#dataKeys.get(id) ?? new SecretBytes(randomBytes(KEY_BYTES));
    this.#dataKeys.set(id, made);
    return copyOf(made);
  }
}

async function settled<T extends SecretBytes | Uint8Array | KmsKeyGeneration>(
  ask: () => Promise<T>,
): Promise<Answer> {
  try {
    return { value: await ask() };
  } catch (error) {
    return { error };
  }
}

function copyOf(key: SecretBytes): SecretBytes {
  return copyBytes(key.reveal());
}

function copyBytes(bytes: Buffer): SecretBytes {
  return new SecretBytes(Buffer.from(bytes));
}
