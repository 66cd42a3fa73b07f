import type { ChainHeads } from '../../audit/chain-heads.ts';
import type { Database } from '../../db/database.ts';
import type { Notifications } from '../../db/notifications.ts';
import type { SecretEntry } from '../../kms/envelope/envelope.ts';
import type { KeyCache } from '../../kms/keys/key-cache.ts';
import type { KmsProvider } from '../../kms/provider.ts';
import type { RootKeys } from '../../kms/keys/root-keys.ts';
import type { Principal } from '../../policy/principal.ts';
import type { Followers } from '../events/followers.ts';
import type { Loaders } from '../rows/loaders.ts';
import type { PolicyStore } from '../operation/policy-store.ts';
import type { ReadGroups } from '../values/read-groups.ts';
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
  readonly policies: PolicyStore;
  readonly reads: ReadGroups;
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
