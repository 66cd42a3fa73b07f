import type { ChainHeads } from '../../audit/chain-heads.ts';
import type { Database } from '../../db/database.ts';
import type { Notifications } from '../../db/notifications.ts';
import type { Scope } from '../../db/secret-row.ts';
import type { SecretEntry } from '../../kms/envelope/envelope.ts';
import type { KeyCache } from '../../kms/keys/key-cache.ts';
import type { KeySession } from '../../kms/keys/key-session.ts';
import type { RootKeys } from '../../kms/keys/root-keys.ts';
import type { KmsProvider } from '../../kms/provider.ts';
import type { Principal } from '../../policy/principal.ts';
import type { ChangeFeed, Follower } from './followers.ts';
import type { Loaders } from './loaders.ts';
import type { Policies } from './policies.ts';
import type { ReadOutcome, ReadRequest } from './reads.ts';
import type { RequestLimits } from './request-limits.ts';

/** A region: its own database, what its gateways tell one another, root keys and providers of KMS keys. */
export interface Region {
  readonly name: string;
  readonly db: Database;
  readonly rootKeys: RootKeys;
  readonly providers: ReadonlyMap<string, KmsProvider>;
  /** Whether the operator lets the organisation bind this key of the provider. */
  readonly mayBind: (provider: string, organisation: string, externalKeyId: string) => boolean;
  readonly keyCache: KeyCache;
  /** What other gateways tell of changes. */
  readonly notifications: Notifications;
  readonly policies: Policies;
  readonly reads: Reads;
  readonly createLoaders: (scope: Scope) => Loaders;
  readonly heads: ChainHeads;
}

/** What an operation knows of the request that it serves. */
export interface RequestContext {
  /** Made here, never taken from a header. */
  readonly requestId: string;
  readonly principal: Principal;
  /** Canonical text; null when it cannot be told for sure. */
  readonly clientAddress: string | null;
  readonly userAgent: string | null;
  readonly now: () => Date;
  /** The default region first. */
  readonly regions: readonly Region[];
  readonly limits: RequestLimits;
  readonly loaders: (region: Region) => Loaders;
  /** Values opened for this request: zeroed when its answer has been written. */
  readonly openedEntries: SecretEntry[];
  /** Where the answer may be a stream: all streams of this gateway, and what ends this one. */
  readonly following?: { readonly followers: Followers; readonly ending: { readonly signal: AbortSignal } };
}

/** What one request reads. */
export interface Reading {
  readonly ctx: RequestContext;
  readonly keys: KeySession;
  readonly requests: readonly ReadRequest[];
}

/** Reads values for requests, and records each read before its value is given. */
export interface Reads {
  /** The outcomes, once they are committed. Throws `RemoteCallNeeded` as a transaction of its own would. */
  join(region: Region, reading: Reading): Promise<readonly ReadOutcome[]>;
}

/** All open streams of this gateway. */
export interface Followers {
  feed(region: Region): ChangeFeed;
  join(principal: Principal, region: Region, signal: AbortSignal): Follower;
}
