import { type Cursor, encodeCursor, type Page } from './parse-page.ts';

/** A page of a list, in the order of the list whichever way it was walked. */
export interface Connection<T> {
  readonly edges: readonly { readonly cursor: string; readonly node: T }[];
  readonly pageInfo: {
    readonly hasNextPage: boolean;
    readonly hasPreviousPage: boolean;
    readonly startCursor: string | null;
    readonly endCursor: string | null;
  };
  /** Counts only when it is asked for; null above 10,000. */
  readonly totalCount: () => Promise<number | null>;
}

export const MAX_COUNTED = 10_000;

/**
 * Makes a page of the rows found: in the order walked, one more than the limit where there are more. What lies on the
 * other side of a cursor is known to be there: the cursor's own item.
 */
export function connectionOf<T>(
  page: Page,
  list: string,
  rows: readonly T[],
  cursorOf: (row: T) => Cursor,
  totalCount: () => Promise<number | null> = () => Promise.resolve(null),
): Connection<T> {
  const more = rows.length > page.limit;
  const walked = rows.slice(0, page.limit);
  const nodes = page.backward ? walked.reverse() : walked;
  const edges = nodes.map((node) => ({ cursor: encodeCursor(list, cursorOf(node)), node }));
  return {
    edges,
    pageInfo: {
      hasNextPage: page.backward ? page.before !== null : more,
      hasPreviousPage: page.backward ? more : page.after !== null,
      startCursor: edges[0]?.cursor ?? null,
      endCursor: edges.at(-1)?.cursor ?? null,
    },
    totalCount,
  };
}

export function emptyConnection<T>(): Connection<T> {
  const pageInfo = { hasNextPage: false, hasPreviousPage: false, startCursor: null, endCursor: null };
  return { edges: [], pageInfo, totalCount: () => Promise.resolve(0) };
}
