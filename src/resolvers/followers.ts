import { RequestError } from '../errors.ts';
import type { Principal } from '../policy/principal.ts';
import { ChangeFeed } from './change-feed.ts';
import { Follower } from './follower.ts';
import type { Region } from './request-context.ts';

export interface FollowerLimits {
  /** Streams open at one time on a gateway. */
  readonly gateway: number;
  /** Of them, streams of one caller. */
  readonly caller: number;
}

export const FOLLOWER_LIMITS: FollowerLimits = { gateway: 1_000, caller: 20 };

/** Everybody who follows change events on this gateway. */
export class Followers {
  readonly #limits: FollowerLimits;
  readonly #feeds = new Map<Region, ChangeFeed>();
  readonly #ofCaller = new Map<string, number>();
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
    const ofCaller = this.#ofCaller.get(caller) ?? 0;
    if (this.#count >= this.#limits.gateway) throw tooMany('A gateway has', this.#limits.gateway);
    if (ofCaller >= this.#limits.caller) throw tooMany('A caller has', this.#limits.caller);
    const follower = new Follower(AbortSignal.any([signal, this.#ending.signal]));
    const leaveFeed = this.feed(region).add(organisation, follower);
    this.#count++;
    this.#ofCaller.set(caller, ofCaller + 1);
    const leave = () => {
      leaveFeed();
      this.#count--;
      const left = (this.#ofCaller.get(caller) ?? 1) - 1;
      if (left === 0) this.#ofCaller.delete(caller);
      else this.#ofCaller.set(caller, left);
    };
    if (signal.aborted) leave();
    else signal.addEventListener('abort', leave, { once: true });
    return follower;
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
