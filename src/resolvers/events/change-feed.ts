import type { SecretChange } from '../context/followers.ts';
import type { Region } from '../context/request-context.ts';
import type { Follower } from './follower.ts';
import { operationsAfter } from './secret-change.ts';

const POLL_MS = 2_000;

/** Tells a gateway's followers of one region that there may be something to read, and reads once for those who ask alike. */
export class ChangeFeed {
  readonly #region: Region;
  readonly #followers = new Map<string, Set<Follower>>();
  readonly #reads = new Map<string, Promise<readonly SecretChange[]>>();
  readonly #stopListening: () => void;
  #poll: NodeJS.Timeout | null = null;

  constructor(region: Region) {
    this.#region = region;
    this.#stopListening = region.notifications.on('secret-events', {
      notified: (organisation) => this.#wake(this.#followers.get(organisation) ?? []),
      // What is not heard is looked for.
      interrupted: () => {
        this.#poll ??= setInterval(() => this.#wakeAll(), POLL_MS).unref();
      },
      resumed: () => {
        this.#stopPolling();
        this.#wakeAll();
      },
    });
  }

  /** Wakes the follower from now on. Returns how to stop it. */
  add(organisation: string, follower: Follower): () => void {
    const followers = this.#followers.get(organisation) ?? new Set();
    this.#followers.set(organisation, followers.add(follower));
    return () => {
      followers.delete(follower);
      if (followers.size === 0 && this.#followers.get(organisation) === followers) {
        this.#followers.delete(organisation);
      }
    };
  }

  /** The next page of a scope's operations: one query for all followers who stand at the same place. */
  read(
    scope: { readonly organisation: string; readonly project: string },
    after: bigint,
  ): Promise<readonly SecretChange[]> {
    const key = JSON.stringify([scope.organisation, scope.project, String(after)]);
    const running = this.#reads.get(key);
    if (running) return running;
    const read = operationsAfter(this.#region, scope, after).finally(() => {
      if (this.#reads.get(key) === read) this.#reads.delete(key);
    });
    this.#reads.set(key, read);
    return read;
  }

  close(): void {
    this.#stopPolling();
    this.#stopListening();
  }

  #wakeAll(): void {
    this.#wake([...this.#followers.values()].flatMap((followers) => [...followers]));
  }

  #wake(followers: Iterable<Follower>): void {
    // A read that is under way may have begun before what wakes them was committed.
    this.#reads.clear();
    for (const follower of followers) follower.wake();
  }

  #stopPolling(): void {
    if (this.#poll) clearInterval(this.#poll);
    this.#poll = null;
  }
}
