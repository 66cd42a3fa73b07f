import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { aeadOpen, aeadSeal } from '../../src/kms/envelope/aead.ts';
import { canonical } from '../../src/kms/envelope/canonical.ts';
import { SecretBytes } from '../../src/kms/envelope/secret-bytes.ts';
import {
  ExternalKeyError,
  type KmsKeyGeneration,
  type KmsKeyReference,
  type KmsProvider,
} from '../../src/kms/provider.ts';

type Method = 'create' | 'rotate' | 'wrap' | 'unwrap' | 'describe';

export interface Call {
  readonly method: Method;
  readonly key: string;
  readonly generation: number;
}

/**
 * A key service outside, as far as a test needs one: it holds a key for each external key id, answers late, fails or
 * hangs as it is told to, and remembers what it was asked.
 */
export class RemoteProvider implements KmsProvider {
  readonly name: string;
  readonly remote = true;
  readonly keyTypes = ['AES256_GCM96'] as const;
  /** How long every answer takes. */
  delayMs = 0;
  /** What every call of these keys fails with. */
  failure: ((externalKeyId: string, method: Method) => Error | undefined) | undefined;
  /** What is waited for before an answer: a promise that does not settle hangs the call. */
  gate: ((externalKeyId: string, method: Method) => Promise<unknown> | undefined) | undefined;
  readonly calls: Call[] = [];
  /** Every data key that was handed out or taken in, as the memory it lay in. */
  readonly handedOut: SecretBytes[] = [];
  running = 0;
  mostAtOnce = 0;
  readonly #keys = new Map<string, Buffer>();

  constructor(name = 'outside') {
    this.name = name;
  }

  create(key: KmsKeyReference): Promise<KmsKeyGeneration> {
    return this.#answer('create', key, 1, () => {
      if (key.externalKeyId === 'missing') throw new ExternalKeyError('There is no such key.');
      return generationOf(1);
    });
  }

  rotate(key: KmsKeyReference, latest: KmsKeyGeneration): Promise<KmsKeyGeneration> {
    return this.#answer('rotate', key, latest.number, () => generationOf(latest.number + 1));
  }

  wrap(
    key: KmsKeyReference,
    { number }: KmsKeyGeneration,
    dataKey: SecretBytes,
    context: Uint8Array,
  ): Promise<Uint8Array> {
    return this.#answer('wrap', key, number, () =>
      aeadSeal('AES256_GCM96', this.#material(key, number), dataKey.reveal(), context),
    );
  }

  unwrap(
    key: KmsKeyReference,
    { number }: KmsKeyGeneration,
    wrapped: Uint8Array,
    context: Uint8Array,
  ): Promise<SecretBytes> {
    return this.#answer('unwrap', key, number, () => {
      const dataKey = new SecretBytes(
        aeadOpen('AES256_GCM96', this.#material(key, number), wrapped, context),
      );
      this.handedOut.push(dataKey);
      return dataKey;
    });
  }

  describe(key: KmsKeyReference, { number }: KmsKeyGeneration): Promise<{ readonly usable: boolean }> {
    return this.#answer('describe', key, number, () => ({ usable: true }));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  count(method: Method): number {
    return this.calls.filter((call) => call.method === method).length;
  }

  /** As if nothing had been asked yet. */
  forgetCalls(): void {
    this.calls.length = 0;
    this.mostAtOnce = this.running;
  }

  async #answer<T>(method: Method, key: KmsKeyReference, generation: number, answer: () => T): Promise<T> {
    const externalKeyId = key.externalKeyId ?? '';
    this.calls.push({ method, key: externalKeyId, generation });
    this.mostAtOnce = Math.max(this.mostAtOnce, ++this.running);
    try {
      if (this.delayMs > 0) await sleep(this.delayMs);
      await this.gate?.(externalKeyId, method);
      const failure = this.failure?.(externalKeyId, method);
      if (failure) throw failure;
      return answer();
    } finally {
      this.running--;
    }
  }

  #material({ externalKeyId }: KmsKeyReference, number: number): Buffer {
    const id = canonical([externalKeyId ?? '', number]).toString('hex');
    const material = this.#keys.get(id) ?? randomBytes(32);
    this.#keys.set(id, material);
    return material;
  }
}

function generationOf(number: number): KmsKeyGeneration {
  return { number, wrappedMaterial: null, rootKeyId: null, externalVersion: `v${number}` };
}

/** A call that does not come back until it is let go. */
export function gateOf(): { readonly gate: Promise<unknown>; readonly open: () => void } {
  const { promise, resolve } = Promise.withResolvers<null>();
  return { gate: promise, open: () => resolve(null) };
}
