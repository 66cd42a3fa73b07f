import { type FieldPath, InvalidInputError } from '../../errors.ts';

export interface PageArguments {
  readonly first?: number | null;
  readonly after?: string | null;
  readonly last?: number | null;
  readonly before?: string | null;
}

/** Which way a list is walked, how far, and between which cursors. */
export interface Page {
  readonly limit: number;
  readonly backward: boolean;
  readonly after: Cursor | null;
  readonly before: Cursor | null;
}

/** Where an item stands in the order of its list. */
export type Cursor = readonly (string | number | null)[];

export const PAGE_LIMITS = { default: 20, most: 100 } as const;

/**
 * The page asked for: `first` (default 20) from the start or after a cursor, or `last` from the end or before one; 1 to
 * 100. `list` names the list and its order: a cursor of another is refused. `isCursor` checks the shape of its parts.
 */
export function parsePage(
  args: PageArguments,
  list: string,
  isCursor: (parts: readonly unknown[]) => boolean,
  field: FieldPath = [],
): Page {
  if (args.first != null && args.last != null) {
    throw new InvalidInputError([...field, 'last'], 'Give first or last, not both.');
  }
  const backward = args.last != null;
  const limit = args.first ?? args.last ?? PAGE_LIMITS.default;
  if (limit < 1 || limit > PAGE_LIMITS.most) {
    throw new InvalidInputError(
      [...field, backward ? 'last' : 'first'],
      `A page has 1 to ${PAGE_LIMITS.most} items.`,
    );
  }
  const cursor = (name: 'after' | 'before') => {
    const text = args[name];
    return text == null ? null : decodeCursor(text, list, isCursor, [...field, name]);
  };
  return { limit, backward, after: cursor('after'), before: cursor('before') };
}

export function encodeCursor(list: string, cursor: Cursor): string {
  return Buffer.from(JSON.stringify([list, ...cursor])).toString('base64url');
}

function decodeCursor(
  text: string,
  list: string,
  isCursor: (parts: readonly unknown[]) => boolean,
  field: FieldPath,
): Cursor {
  let parts: unknown;
  try {
    parts = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
  } catch {
    parts = null;
  }
  if (!Array.isArray(parts) || parts[0] !== list || !isCursor(parts.slice(1))) {
    throw new InvalidInputError(field, 'A cursor is one that this list gave, in this order.');
  }
  return parts.slice(1) as Cursor;
}
