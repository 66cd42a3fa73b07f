import pg from 'pg';
import { parseIntoClientConfig } from 'pg-connection-string';
import type { Transaction } from './transaction.ts';

/** What gateways tell one another: that a KMS key or an organisation's policies changed, that secrets did. */
export const TOPICS = ['kms-key', 'policies', 'secret-events'] as const;
export type Topic = (typeof TOPICS)[number];

/** What is told, as Postgres tells it. */
export interface Notice {
  readonly channel: string;
  readonly payload: string;
}

/** What a follower of a topic does. `payload` names what changed, never how. */
export interface Listener {
  readonly notified: (payload: string) => void;
  /** Nothing is heard from now on: whatever rests on being told must be dropped, and not kept until `resumed`. */
  readonly interrupted: () => void;
  /** Heard again: what happened meanwhile was missed. */
  readonly resumed: () => void;
}

const HEARTBEAT_MS = 500;
/** With the heartbeat: how long a dead connection may go unnoticed. */
const SILENCE_MS = 1_000;
const RECONNECT_MS = { first: 50, most: 1_000 };

/** Tells every gateway of the region, this one too, once the transaction has committed. */
export async function notify(tx: Transaction, topic: Topic, payload: string): Promise<void> {
  await tx.$executeRaw`SELECT pg_notify(${channelOf(topic)}, ${payload})`;
}

/** What `notify` would tell, for a statement that does something else too. */
export function noticeOf(topic: Topic, payload: string): Notice {
  return { channel: channelOf(topic), payload };
}

/** The one connection of a gateway that listens to its region's database (LISTEN/NOTIFY), made anew whenever it is lost. */
export class Notifications {
  readonly #connectionString: string;
  readonly #onError: (error: unknown) => void;
  readonly #listeners = new Map<Topic, Set<Listener>>(TOPICS.map((topic) => [topic, new Set()]));
  #client: pg.Client | null = null;
  #heartbeat: NodeJS.Timeout | null = null;
  #reconnect: NodeJS.Timeout | null = null;
  #attempts = 0;
  #closed = false;

  private constructor(connectionString: string, onError: (error: unknown) => void) {
    this.#connectionString = connectionString;
    this.#onError = onError;
  }

  /** Listens from when this resolves. */
  static async open(connectionString: string, onError: (error: unknown) => void): Promise<Notifications> {
    const notifications = new Notifications(connectionString, onError);
    await notifications.#connect();
    return notifications;
  }

  get isListening(): boolean {
    return this.#client !== null;
  }

  /** Starts a listener; it is told at once when nothing is heard at the moment. Returns how to stop it. */
  on(topic: Topic, listener: Listener): () => void {
    this.#listeners.get(topic)?.add(listener);
    if (!this.isListening) listener.interrupted();
    return () => void this.#listeners.get(topic)?.delete(listener);
  }

  async close(): Promise<void> {
    this.#closed = true;
    if (this.#reconnect) clearTimeout(this.#reconnect);
    const client = this.#client;
    this.#lose();
    await client?.end().catch(() => undefined);
  }

  async #connect(): Promise<void> {
    const client = new pg.Client({
      ...parseIntoClientConfig(this.#connectionString),
      connectionTimeoutMillis: 2_000,
      keepAlive: true,
      application_name: 'strongroom notifications',
    });
    client.on('error', (error) => this.#fail(client, error));
    client.on('end', () => this.#fail(client, new Error('The connection ended.')));
    client.on('notification', ({ channel, payload }) => {
      const topic = TOPICS.find((candidate) => channelOf(candidate) === channel);
      if (topic) for (const listener of this.#listeners.get(topic) ?? []) listener.notified(payload ?? '');
    });
    try {
      await client.connect();
      await client.query(TOPICS.map((topic) => `LISTEN "${channelOf(topic)}"`).join('; '));
    } catch (error) {
      client.removeAllListeners('end');
      await client.end().catch(() => undefined);
      throw error;
    }
    if (this.#closed) return client.end();
    this.#client = client;
    this.#attempts = 0;
    this.#beat(client);
  }

  #beat(client: pg.Client): void {
    this.#heartbeat = setTimeout(() => {
      const silence = setTimeout(
        () => this.#fail(client, new Error('The connection is silent.')),
        SILENCE_MS,
      );
      client
        .query('SELECT 1')
        .then(() => {
          if (this.#client === client) this.#beat(client);
        })
        .catch((error: unknown) => this.#fail(client, error))
        .finally(() => clearTimeout(silence));
    }, HEARTBEAT_MS).unref();
  }

  #fail(client: pg.Client, error: unknown): void {
    if (this.#client !== client) return;
    this.#lose();
    client.end().catch(() => undefined);
    if (this.#closed) return;
    this.#onError(error);
    this.#retry();
  }

  #lose(): void {
    if (this.#heartbeat) clearTimeout(this.#heartbeat);
    if (!this.#client) return;
    this.#client = null;
    for (const listener of this.#all()) listener.interrupted();
  }

  #retry(): void {
    const delay = Math.min(RECONNECT_MS.first * 2 ** this.#attempts++, RECONNECT_MS.most);
    this.#reconnect = setTimeout(() => {
      this.#connect().then(
        () => {
          if (this.isListening) for (const listener of this.#all()) listener.resumed();
        },
        (error: unknown) => {
          this.#onError(error);
          if (!this.#closed) this.#retry();
        },
      );
    }, delay).unref();
  }

  #all(): Listener[] {
    return [...this.#listeners.values()].flatMap((listeners) => [...listeners]);
  }
}

function channelOf(topic: Topic): string {
  return `strongroom_${topic.replace('-', '_')}`;
}
