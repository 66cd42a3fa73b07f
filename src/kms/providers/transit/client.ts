import type { Agent } from 'node:http';
import type { SecretBytes } from '../../envelope/secret-bytes.ts';
import { agentFor, exchange } from '../exchange.ts';
import { readCaFile, readTokenFile, type TransitConfig } from './config.ts';

export interface TransitAnswer {
  readonly status: number;
  /** undefined for no JSON. */
  readonly body: unknown;
}

/** Speaks HTTP to a transit engine: address, token and namespace, and not what the answers mean. */
export class TransitClient {
  readonly #config: TransitConfig;
  readonly #agent: Agent;
  #token: SecretBytes | undefined;

  constructor(config: TransitConfig) {
    const { address, caFile, token, tokenFile } = config;
    this.#config = config;
    this.#agent = agentFor(new URL(address).protocol, caFile === undefined ? undefined : readCaFile(caFile));
    this.#token = token ?? (tokenFile === undefined ? undefined : readTokenFile(tokenFile));
  }

  /** `path` is below the mount. A refusal reads the token file anew, for whoever renews the token writes it there. */
  async send(
    method: 'GET' | 'POST',
    path: string,
    signal: AbortSignal,
    body?: unknown,
  ): Promise<TransitAnswer> {
    const answer = await this.#exchange(method, path, signal, body);
    return answer.status === 403 && this.#renewToken() ? this.#exchange(method, path, signal, body) : answer;
  }

  close(): void {
    this.#agent.destroy();
  }

  async #exchange(method: string, path: string, signal: AbortSignal, body: unknown): Promise<TransitAnswer> {
    const { address, mount, namespace } = this.#config;
    const payload = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    const answer = await exchange({
      method,
      url: new URL(`/v1/${mount}/${path}`, address),
      headers: {
        Accept: 'application/json',
        'X-Vault-Request': 'true',
        'X-Vault-Token': this.#token?.reveal().toString('ascii') ?? '',
        ...(namespace !== undefined && { 'X-Vault-Namespace': namespace }),
        ...(payload && { 'Content-Type': 'application/json', 'Content-Length': payload.byteLength }),
      },
      payload,
      agent: this.#agent,
      signal,
    }).catch(noAnswer);
    payload?.fill(0);
    return { status: answer.status, body: parse(answer.body) };
  }

  #renewToken(): boolean {
    const { tokenFile } = this.#config;
    if (tokenFile === undefined) return false;
    try {
      const token = readTokenFile(tokenFile);
      if (this.#token?.reveal().equals(token.reveal())) return false;
      this.#token = token;
      return true;
    } catch {
      return false;
    }
  }
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

/** With a code such as ECONNREFUSED or ABORT_ERR. Without the message or a cause: they might repeat what was sent. */
function noAnswer(error: unknown): never {
  const { code } = error as NodeJS.ErrnoException;
  throw new Error(
    `The transit server gave no whole answer (${typeof code === 'string' ? code : 'no code'}).`,
  );
}
