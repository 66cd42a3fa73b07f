import {
  type Agent,
  type IncomingHttpHeaders,
  type IncomingMessage,
  Agent as HttpAgent,
  request as requestHttp,
} from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';

export interface Exchange {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string | number>>;
  readonly payload?: Uint8Array | string | undefined;
  readonly agent: Agent;
  /** Ends the exchange wherever it is: name look-up, handshake, headers, body. */
  readonly signal: AbortSignal;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

const MAX_BODY_BYTES = 64 * 1024;
/** Shorter than servers and load balancers keep an idle connection, so that none is used that they are about to close. */
const IDLE_MS = 15_000;

/**
 * One request and its answer, of at most 64 KiB. A redirect is an answer like another, so that nothing goes to an address
 * that was not configured. Throws when there is no whole answer.
 */
export async function exchange({ url, payload, signal, ...options }: Exchange): Promise<Answer> {
  const send = url.protocol === 'https:' ? requestHttps : requestHttp;
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    send(url, { ...options, signal })
      .on('response', resolve)
      .on('error', reject)
      .end(payload);
  });
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    body: await readBody(response),
  };
}

/** Connections to one server; `ca` is trusted instead of the authorities that Node knows. */
export function agentFor(protocol: string, ca?: string): Agent {
  const options = { keepAlive: true, timeout: IDLE_MS };
  if (protocol !== 'https:') return new HttpAgent(options);
  return new HttpsAgent({ ...options, rejectUnauthorized: true, ...(ca !== undefined && { ca }) });
}

async function readBody(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  // Leaving the loop by an error destroys the response, and with it the connection.
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength;
    if (bytes > MAX_BODY_BYTES)
      throw Object.assign(new Error('The answer is too long.'), { code: 'EMSGSIZE' });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
