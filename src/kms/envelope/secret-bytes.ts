import { inspect } from 'node:util';

const REDACTED = '[redacted]';

/**
 * Plaintext or key material. It prints `[redacted]` however it is printed, and `zero()` overwrites it. Whoever makes one
 * sees to it that it is zeroed; the base64 that leaves for the caller is a string, and strings cannot be.
 */
export class SecretBytes {
  readonly #bytes: Buffer;

  /** Takes the buffer over: it is the same memory that `zero()` overwrites. */
  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  static fromBase64(text: string): SecretBytes {
    return new SecretBytes(Buffer.from(text, 'base64'));
  }

  get byteLength(): number {
    return this.#bytes.byteLength;
  }

  /** The memory itself, for cryptography: never kept, never logged. */
  reveal(): Buffer {
    return this.#bytes;
  }

  revealBase64(): string {
    return this.#bytes.toString('base64');
  }

  zero(): void {
    this.#bytes.fill(0);
  }

  toString(): string {
    return REDACTED;
  }

  toJSON(): string {
    return REDACTED;
  }

  [inspect.custom](): string {
    return REDACTED;
  }
}
