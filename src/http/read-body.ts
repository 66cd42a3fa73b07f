import type { IncomingMessage } from 'node:http';
import { RequestError } from '../errors.ts';

export const MAX_BODY_BYTES = 8 * 1024 * 1024;

/**
 * The whole body. Throws PAYLOAD_TOO_LARGE past 8 MiB, without having kept more. What is left then is for Node to throw
 * away once the answer is sent: to destroy the request here would take the connection, and the answer, with it.
 */
export async function readBody(request: IncomingMessage): Promise<Buffer<ArrayBuffer>> {
  const tooLarge = () =>
    new RequestError('PAYLOAD_TOO_LARGE', `A request body has at most ${MAX_BODY_BYTES} bytes.`);
  if (Number(request.headers['content-length'] ?? 0) > MAX_BODY_BYTES) throw tooLarge();
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      bytes += chunk.byteLength;
      if (bytes > MAX_BODY_BYTES) throw tooLarge();
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof RequestError) throw error;
    throw new RequestError('BAD_REQUEST', 'The request body did not arrive whole.');
  }
  return Buffer.concat(chunks);
}
