import { print } from 'graphql';
import { createClient } from 'graphql-sse';
import type { ResultOf, VariablesOf } from 'gql.tada';
import { expect } from 'vitest';
import { graphql } from './graphql.ts';

export const FOLLOW = graphql(`
  subscription Follow($pathPrefix: FolderPath! = "/", $region: String, $after: String) {
    secretEvents(pathPrefix: $pathPrefix, region: $region, after: $after) {
      cursor
      at
      kind
      path
      version
    }
  }
`);

export type FollowedEvent = NonNullable<ResultOf<typeof FOLLOW>['secretEvents']>;

/** A stream of change events as a client of graphql-sse sees it. */
export interface Following {
  readonly events: FollowedEvent[];
  /** The errors that it was told. */
  readonly errors: { readonly message: string; readonly extensions: Readonly<Record<string, unknown>> }[];
  /** Why it ended: its completion, or what broke it off. */
  readonly ended: Promise<'complete' | 'broken'>;
  /** Waits for this many events. */
  have(count: number): Promise<readonly FollowedEvent[]>;
  /** Drops the connection. */
  drop(): void;
}

export interface FollowOptions {
  readonly url: string;
  readonly token: string;
  readonly headers?: Record<string, string>;
  readonly variables?: VariablesOf<typeof FOLLOW>;
}

/** Follows from when this resolves: the answer has begun. */
export async function follow({ url, token, headers, variables = {} }: FollowOptions): Promise<Following> {
  const client = createClient({
    url: `${url}/graphql`,
    // It would ask for the same again, not for what follows the last cursor.
    retryAttempts: 0,
    headers: { authorization: `Bearer ${token}`, ...headers },
  });
  const [events, told]: [FollowedEvent[], Following['errors']] = [[], []];
  const connected = Promise.withResolvers<null>();
  const ended = Promise.withResolvers<'complete' | 'broken'>();
  const drop = client.subscribe<ResultOf<typeof FOLLOW>>(
    { query: print(FOLLOW), variables },
    {
      next: ({ data, errors }) => {
        if (data?.secretEvents) events.push(data.secretEvents);
        told.push(...((errors ?? []) as unknown as Following['errors']));
      },
      error: (error) => {
        connected.reject(error);
        ended.resolve('broken');
      },
      complete: () => ended.resolve('complete'),
    },
    { connected: () => connected.resolve(null) },
  );
  await connected.promise;
  const have = async (count: number) => {
    await expect.poll(() => events.length, { timeout: 15_000, interval: 20 }).toBeGreaterThanOrEqual(count);
    return events;
  };
  return { events, errors: told, ended: ended.promise, have, drop };
}
