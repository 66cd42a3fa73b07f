import type { IncomingMessage } from 'node:http';
import { RequestError } from '../errors.ts';

export const MAX_BODY_BYTES = 8 * 1024 * 1024;

/** The whole body. Throws PAYLOAD_TOO_LARGE past 8 MiB, without having kept more, and BAD_REQUEST when it breaks off. */
export function readBody(request: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const body = new GrowingBody();
    const settle = () => {
      request.off('data', take).off('end', end).off('error', breakOff).off('close', breakOff);
    };
    const refuse = (error: RequestError) => {
      settle();
      // An error that comes later is nobody's: the answer is on its way.
      request.on('error', () => undefined).pause();
      body.zero();
      reject(error);
    };
    const tooLarge = () =>
      refuse(new RequestError('PAYLOAD_TOO_LARGE', `A request body has at most ${MAX_BODY_BYTES} bytes.`));
    const breakOff = () => refuse(new RequestError('BAD_REQUEST', 'The request body did not arrive whole.'));
    const take = (chunk: Buffer) => {
      if (body.size + chunk.byteLength > MAX_BODY_BYTES) tooLarge();
      else body.add(chunk);
    };
    const end = () => {
      settle();
      resolve(body.whole());
    };
    if (Number(request.headers['content-length'] ?? 0) > MAX_BODY_BYTES) return tooLarge();
    if (request.destroyed) return breakOff();
    request.on('data', take).on('end', end).on('error', breakOff).on('close', breakOff);
  });
}

/** Runs `use` with the whole body, and zeroes it afterwards. Throws as `readBody` does. */
export async function withBody<T>(request: IncomingMessage, use: (body: Buffer) => Promise<T>): Promise<T> {
  const body = await readBody(request);
  try {
    return await use(body);
  } finally {
    body.fill(0);
  }
}

const FIRST_BYTES = 4_096;

/** One buffer, however many pieces come: kept each by itself, a piece of one byte would take hundreds. */
class GrowingBody {
  #bytes = Buffer.allocUnsafe(FIRST_BYTES);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Copies the piece and zeroes it. */
  add(piece: Buffer): void {
    const needed = this.#size + piece.byteLength;
    if (needed > this.#bytes.byteLength) {
      const larger = Buffer.allocUnsafe(Math.max(needed, 2 * this.#bytes.byteLength));
      this.#bytes.copy(larger, 0, 0, this.#size);
      this.zero();
      this.#bytes = larger;
    }
    piece.copy(this.#bytes, this.#size);
    this.#size = needed;
    piece.fill(0);
  }

  whole(): Buffer {
    return this.#bytes.subarray(0, this.#size);
  }

  zero(): void {
    this.#bytes.fill(0, 0, this.#size);
  }
}
