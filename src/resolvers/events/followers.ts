import { RequestError } from '../../errors.ts';
import type { Principal } from '../../policy/principal.ts';
import type { Region } from '../context/request-context.ts';
import { ChangeFeed } from './change-feed.ts';
import { Follower } from './follower.ts';

export interface FollowerLimits {
  /** Streams open at one time on a gateway. */
  readonly gateway: number;
  /** Of them, streams of one organisation: whoever makes its tokens makes as many callers as it likes. */
  readonly organisation: number;
  /** Of them, streams of one caller. */
  readonly caller: number;
}

export const FOLLOWER_LIMITS: FollowerLimits = { gateway: 1_000, organisation: 500, caller: 20 };

/** Everybody who follows change events on this gateway. */
export class Followers {
  readonly #limits: FollowerLimits;
  readonly #feeds = new Map<Region, ChangeFeed>();
  readonly #open = new Map<string, number>();
  readonly #ending = new AbortController();
  #count = 0;

  constructor(limits: FollowerLimits = FOLLOWER_LIMITS) {
    this.#limits = limits;
  }

  feed(region: Region): ChangeFeed {
    const feed = this.#feeds.get(region) ?? new ChangeFeed(region);
    this.#feeds.set(region, feed);
    return feed;
  }

  /** A new follower, which leaves when `signal` aborts. Throws TOO_MANY_STREAMS, or SERVICE_UNAVAILABLE after `close`. */
  join(principal: Principal, region: Region, signal: AbortSignal): Follower {
    this.#ending.signal.throwIfAborted();
    const { issuer, subject, organisation } = principal;
    const caller = JSON.stringify([issuer, subject, organisation]);
    if (this.#count >= this.#limits.gateway) throw tooMany('A gateway has', this.#limits.gateway);
    if (this.#openOf(organisation) >= this.#limits.organisation)
      throw tooMany('An organisation has', this.#limits.organisation);
    if (this.#openOf(caller) >= this.#limits.caller) throw tooMany('A caller has', this.#limits.caller);
    const follower = new Follower(AbortSignal.any([signal, this.#ending.signal]));
    const leaveFeed = this.feed(region).add(organisation, follower);
    const count = (change: 1 | -1) => {
      this.#count += change;
      for (const who of [organisation, caller]) {
        const open = this.#openOf(who) + change;
        if (open === 0) this.#open.delete(who);
        else this.#open.set(who, open);
      }
    };
    count(1);
    const leave = () => {
      leaveFeed();
      count(-1);
    };
    if (signal.aborted) leave();
    else signal.addEventListener('abort', leave, { once: true });
    return follower;
  }

  /** Streams of an organisation or of a caller, whose names are never the same: one is JSON. */
  #openOf(who: string): number {
    return this.#open.get(who) ?? 0;
  }

  /** Ends every stream in a way that lets its client go on elsewhere, and takes no new one. */
  close(): void {
    const message = 'This gateway stops: follow again with the last cursor.';
    this.#ending.abort(new RequestError('SERVICE_UNAVAILABLE', message));
    for (const feed of this.#feeds.values()) feed.close();
  }
}

function tooMany(who: string, limit: number): RequestError {
  return new RequestError('TOO_MANY_STREAMS', `${who} at most ${limit} open streams: close one first.`);
}
