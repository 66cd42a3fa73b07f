import { Agent, request } from 'node:http';

/** One keep-alive connection to a service's GraphQL endpoint, for one caller; one request at a time. */
export class Connection {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly #url: string;
  readonly #token: string;

  constructor(url: string, token: string) {
    this.#url = url;
    this.#token = token;
  }

  /** The root field of the answer, of a document with one. Throws for errors of any kind. */
  async ask(query: string, variables: unknown): Promise<Answer> {
    const text = await this.#post(JSON.stringify({ query, variables }));
    const { data, errors } = JSON.parse(text) as { data?: Record<string, Answer | null>; errors?: unknown };
    const field = Object.values(data ?? {})[0];
    if (errors !== undefined || !field || 'code' in field) throw new Error(`The service answered ${text}`);
    return field;
  }

  close(): void {
    this.#agent.destroy();
  }

  #post(body: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const headers = {
        authorization: `Bearer ${this.#token}`,
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
      };
      const sent = request(this.#url, { method: 'POST', agent: this.#agent, headers }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.once('error', reject);
        response.once('end', () => resolve(Buffer.concat(chunks).toString()));
      });
      sent.once('error', reject).end(body);
    });
  }
}

export type Answer = Readonly<Record<string, unknown>>;
