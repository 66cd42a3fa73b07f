import type { BenchSecret } from './dataset.ts';
import { folderChildren, getSecretValue, getSecretValues, listSecrets, putSecretValue } from './exchanges.ts';
import type { Exchange } from './load/load-spec.ts';

/** Of a hundred requests; together a hundred. */
const SHARES = { reads: 70, batches: 10, puts: 10, lists: 5, folders: 5 };

/** 1,000 requests, mixed evenly: however few of them have been sent, their shares are about these. */
export function mixedLoad(secrets: readonly BenchSecret[]): readonly Exchange[] {
  const folders = [...new Set(secrets.map(({ path }) => path.slice(0, path.lastIndexOf('/'))))];
  const kinds = [
    { share: SHARES.reads, exchanges: getSecretValue(secrets) },
    { share: SHARES.batches, exchanges: getSecretValues(secrets) },
    { share: SHARES.puts, exchanges: putSecretValue(secrets) },
    { share: SHARES.lists, exchanges: listSecrets(parentsOf(folders)) },
    { share: SHARES.folders, exchanges: folderChildren(folders) },
  ];
  // Each kind has its places on a line from 0 to 1; where they interleave is the order.
  const placed = kinds.flatMap(({ share, exchanges }) =>
    Array.from({ length: share * 10 }, (_, index) => ({
      place: (index + 0.5) / (share * 10),
      exchange: exchanges[index % exchanges.length],
    })),
  );
  return placed.sort((a, b) => a.place - b.place).flatMap(({ exchange }) => exchange ?? []);
}

function parentsOf(folders: readonly string[]): readonly string[] {
  return [...new Set(folders.map((path) => path.slice(0, path.lastIndexOf('/'))))];
}
