import { type Agent, type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';

export interface JsonRequest {
  readonly method: 'GET' | 'POST';
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: unknown;
  /** One for the scheme of the URL: it has the trusted certificates. */
  readonly agent: Agent;
  /** Ends the exchange wherever it is: name look-up, handshake, headers, body. */
  readonly signal: AbortSignal;
}

export interface JsonAnswer {
  readonly status: number;
  /** undefined for no JSON. */
  readonly body: unknown;
}

const MAX_BODY_BYTES = 64 * 1024;

/**
 * One request and its answer, at most 64 KiB. A redirect is an answer like another, so that no header and no body goes to
 * an address that was not configured. Throws when there is no whole answer.
 */
export async function exchangeJson({ url, body, signal, ...options }: JsonRequest): Promise<JsonAnswer> {
  const payload = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
  const headers: Record<string, string | number> = { ...options.headers, Accept: 'application/json' };
  if (payload) {
    headers['Content-Type'] = 'application/json';
    headers['Content-Length'] = payload.byteLength;
  }
  const send = url.protocol === 'https:' ? requestHttps : requestHttp;
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    send(url, { ...options, headers, signal })
      .on('response', resolve)
      .on('error', reject)
      .end(payload);
  });
  return { status: response.statusCode ?? 0, body: parse(await readBody(response)) };
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

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  } finally {
    body.fill(0);
  }
}
