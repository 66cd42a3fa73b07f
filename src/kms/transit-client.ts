import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { exchangeJson, type JsonAnswer, type JsonRequest } from './exchange-json.ts';
import type { SecretBytes } from './secret-bytes.ts';
import { readCaFile, readTokenFile, type TransitConfig } from './transit-config.ts';

/** Shorter than servers and load balancers keep an idle connection, so that none is used that they are about to close. */
const IDLE_MS = 15_000;

/** Speaks HTTP to a transit engine: address, token and namespace, and not what the answers mean. */
export class TransitClient {
  readonly #config: TransitConfig;
  readonly #agent: HttpAgent;
  #token: SecretBytes | undefined;

  constructor(config: TransitConfig) {
    this.#config = config;
    const options = { keepAlive: true, timeout: IDLE_MS };
    this.#agent = config.address.startsWith('https:')
      ? new HttpsAgent({
          ...options,
          rejectUnauthorized: true,
          ...(config.caFile !== undefined && { ca: readCaFile(config.caFile) }),
        })
      : new HttpAgent(options);
    this.#token =
      config.token ?? (config.tokenFile === undefined ? undefined : readTokenFile(config.tokenFile));
  }

  /** `path` is below the mount. A refusal reads the token file anew, for whoever renews the token writes it there. */
  async send(
    method: JsonRequest['method'],
    path: string,
    signal: AbortSignal,
    body?: unknown,
  ): Promise<JsonAnswer> {
    const { address, mount, namespace } = this.#config;
    const exchange = () =>
      exchangeJson({
        method,
        url: new URL(`/v1/${mount}/${path}`, address),
        headers: {
          'X-Vault-Request': 'true',
          'X-Vault-Token': this.#token?.reveal().toString('ascii') ?? '',
          ...(namespace !== undefined && { 'X-Vault-Namespace': namespace }),
        },
        agent: this.#agent,
        signal,
        body,
      }).catch(noAnswer);
    const answer = await exchange();
    return answer.status === 403 && this.#renewToken() ? exchange() : answer;
  }

  close(): void {
    this.#agent.destroy();
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

/** With a code such as ECONNREFUSED or ABORT_ERR. Without the message or a cause: they might repeat what was sent. */
function noAnswer(error: unknown): never {
  const { code } = error as NodeJS.ErrnoException;
  throw new Error(
    `The transit server gave no whole answer (${typeof code === 'string' ? code : 'no code'}).`,
  );
}
