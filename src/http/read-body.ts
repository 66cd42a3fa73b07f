import type { IncomingMessage } from 'node:http';
import { RequestError } from '../errors.ts';

export const MAX_BODY_BYTES = 8 * 1024 * 1024;

/** The whole body. Throws PAYLOAD_TOO_LARGE past 8 MiB, without having kept more, and BAD_REQUEST when it breaks off. */
export async function readBody(request: IncomingMessage): Promise<Buffer<ArrayBuffer>> {
  const tooLarge = () =>
    new RequestError('PAYLOAD_TOO_LARGE', `A request body has at most ${MAX_BODY_BYTES} bytes.`);
  if (Number(request.headers['content-length'] ?? 0) > MAX_BODY_BYTES) throw tooLarge();
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      bytes += chunk.byteLength;
      if (bytes > MAX_BODY_BYTES) throw tooLarge();
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof RequestError) throw error;
    throw new RequestError('BAD_REQUEST', 'The request body did not arrive whole.');
  }
  const body = Buffer.concat(chunks);
  for (const chunk of chunks) chunk.fill(0);
  return body;
}
