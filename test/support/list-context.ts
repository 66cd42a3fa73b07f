import { randomBytes } from 'node:crypto';
import { ChainHeads } from '../../src/audit/chain-heads.ts';
import { Database } from '../../src/db/database.ts';
import { Notifications } from '../../src/db/notifications.ts';
import { SecretBytes } from '../../src/kms/envelope/secret-bytes.ts';
import { KeyCache } from '../../src/kms/keys/key-cache.ts';
import { RootKeys } from '../../src/kms/keys/root-keys.ts';
import type { Policy } from '../../src/policy/policy.ts';
import type { Region, RequestContext } from '../../src/resolvers/context/request-context.ts';
import { RequestLimits } from '../../src/resolvers/context/request-limits.ts';
import { PolicyStore } from '../../src/resolvers/operation/policy-store.ts';
import { createLoaders } from '../../src/resolvers/rows/create-loaders.ts';
import { ReadGroups } from '../../src/resolvers/values/read-groups.ts';
import { READER } from './random-policies.ts';

export const NOW = new Date('2027-01-01T00:00:00.000Z');

/** Where just these policies hold: what no policy can be stored with, such as a NUL, is decided too. */
class FixedPolicies extends PolicyStore {
  readonly #policies: readonly Policy[];

  constructor({ db, notifications }: Region, policies: readonly Policy[]) {
    super(db, notifications);
    this.#policies = policies;
  }

  override of() {
    return Promise.resolve({ policies: this.#policies, revision: '' });
  }
}

/** A region over a database, for operations that seal and open nothing. */
export async function listRegion(databaseUrl: string): Promise<Region> {
  const db = new Database(databaseUrl);
  const notifications = await Notifications.open(databaseUrl, () => undefined);
  return {
    ...{ name: 'local-1', db, notifications, policies: new PolicyStore(db, notifications) },
    rootKeys: new RootKeys([{ id: 'unused', key: new SecretBytes(randomBytes(32)) }]),
    ...{
      providers: new Map(),
      mayBind: () => false,
      keyCache: new KeyCache(),
      reads: new ReadGroups(),
      createLoaders: (scope) => createLoaders(db, scope),
      heads: new ChainHeads(),
    },
  };
}

export async function closeListRegion({ db, notifications, keyCache }: Region): Promise<void> {
  keyCache.close();
  await notifications.close();
  await db.close();
}

/** The reader's request, whose one region is this one with these policies. */
export function listContext(
  given: Region,
  organisation: string,
  policies: readonly Policy[],
): RequestContext & { readonly region: Region } {
  const principal = { ...READER, organisation };
  const region = { ...given, policies: new FixedPolicies(given, policies) };
  return {
    ...{ requestId: 'r', principal, clientAddress: null, userAgent: null, now: () => NOW, regions: [region] },
    ...{ limits: new RequestLimits(), openedEntries: [], region },
    loaders: (from) => from.createLoaders(principal),
  };
}

export interface ListedSecret {
  readonly id: string;
  readonly path: string;
  readonly kmsKey: string;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly lastAccessedAt: Date | null;
  readonly deletedAt: Date | null;
  readonly purgeAt: Date | null;
}
