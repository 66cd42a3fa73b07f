import type { Prisma } from '../../db/generated/client.ts';
import { walkChildren } from '../../db/path-filter-walk.ts';
import type { Transaction } from '../../db/transaction.ts';
import type { ListFilter, VisibleRange } from '../../policy/list-filter.ts';
import { type FirstStar, firstStar, type NamePattern } from '../../policy/name-pattern.ts';
import { afterFolder } from '../../policy/secret-path.ts';

/** A secret's path key below a folder, or a folder's with its separator at the end. */
interface Child {
  readonly key: string;
  readonly isFolder: boolean;
}

/** Keys from `low` on and before `high`. */
type Keys = Pick<VisibleRange, 'low' | 'high'>;

/** For so many folders the children are looked at, and so many of each. */
const MOST_FOLDERS = 4;
const MOST_CHILDREN = 128;
/** Into so many ranges a filter may come apart. */
const MOST_RANGES = 500;

/**
 * A filter that lets the same of these secrets pass and has less to test row by row: where a pattern has a star, such as
 * `/teams/*\/prod/**`, the children of the star's folder are looked up, and only what the pattern names below each is left.
 * Beyond the first of many children, in the direction of the walk, all stays as it was. `where` says of s which secrets.
 */
export async function narrowFilter(
  tx: Transaction,
  where: Prisma.Sql,
  filter: ListFilter,
  backward = false,
  mostChildren = MOST_CHILDREN,
): Promise<ListFilter> {
  const folders = filter.flatMap((range) => starFolders(range));
  if (folders.length === 0 || folders.length > MOST_FOLDERS) return filter;
  const children = async (folderKey: string, { low, high }: Keys) => {
    const search = { filter: [{ low, high, required: [], refused: [] }], where };
    return tx.$queryRaw<Child[]>(walkChildren(search, folderKey, backward, mostChildren));
  };
  const narrowed = await Promise.all(
    filter.map(async (range) => {
      const found = starFolders(range).map(async ([folderKey, patterns]) => {
        const within = clip(hull(patterns.map(({ pattern }) => pattern)), range);
        const seen = await children(folderKey, within);
        const below = seen.flatMap((child) => atChild(folderKey, patterns, child));
        return [...below, ...(seen.length < mostChildren ? [] : unseen(seen, within, backward))].map((keys) =>
          clip(keys, range),
        );
      });
      return found.length === 0 ? [range] : disjoint((await Promise.all(found)).flat(), range);
    }),
  );
  const ranges = narrowed.flat();
  return ranges.length > MOST_RANGES ? filter : ranges;
}

interface Starred {
  readonly pattern: NamePattern;
  readonly star: FirstStar;
}

/** The folders with a star of the patterns of which one must match; none where nothing has to. */
function starFolders({ required: [group = []] }: VisibleRange): [string, Starred[]][] {
  const starred = group.flatMap((pattern) => {
    const star = firstStar(pattern);
    return star ? [{ pattern, star }] : [];
  });
  if (starred.length < group.length) return [];
  return [...Map.groupBy(starred, ({ star }) => star.folderKey)];
}

function atChild(folderKey: string, patterns: readonly Starred[], { key, isFolder }: Child): Keys[] {
  const name = key.slice(folderKey.length, isFolder ? -1 : undefined);
  return patterns.flatMap(({ star }) => star.at(name) ?? []);
}

/** What lies beyond the last child that was looked at. */
function unseen(seen: readonly Child[], { low, high }: Keys, backward: boolean): Keys[] {
  const last = seen.at(-1);
  if (!last) return [];
  if (backward) return [{ low, high: last.key }];
  return [{ low: last.isFolder ? afterFolder(last.key) : `${last.key}\u0001`, high }];
}

function hull(all: readonly Keys[]): Keys {
  const low = all.reduce((least, keys) => (keys.low < least ? keys.low : least), '\u007f');
  const high = all.reduce((most, keys) => (keys.high > most ? keys.high : most), '');
  return { low, high };
}

function clip({ low, high }: Keys, range: Keys): Keys {
  return { low: low > range.low ? low : range.low, high: high < range.high ? high : range.high };
}

/** These parts of a range, in order and apart from one another. */
function disjoint(parts: readonly Keys[], range: VisibleRange): VisibleRange[] {
  const found: VisibleRange[] = [];
  for (const { low, high } of parts.toSorted((a, b) => (a.low < b.low ? -1 : a.low > b.low ? 1 : 0))) {
    const last = found.at(-1);
    if (low >= high) continue;
    if (last && low <= last.high)
      found[found.length - 1] = { ...last, high: high > last.high ? high : last.high };
    else found.push({ ...range, low, high });
  }
  return found;
}
