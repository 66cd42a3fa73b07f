import { parentPort, workerData } from 'node:worker_threads';
import { KeyCache } from '../../src/kms/keys/key-cache.ts';
import { RootKeys } from '../../src/kms/keys/root-keys.ts';
import type { KmsKeyGeneration, KmsKeyReference } from '../../src/kms/provider.ts';
import { LocalProvider } from '../../src/kms/providers/local/provider.ts';
import { parseRootKeys } from '../../src/server/config/root-keys.ts';
import { sealedRows } from './sealed-rows.ts';
import { treeOf } from './tree.ts';

/** What a worker seals with. */
export interface SealJob {
  readonly size: number;
  readonly rootKey: string;
  readonly reference: KmsKeyReference;
  readonly generation: KmsKeyGeneration;
  readonly now: number;
}

/** The positions that a message asks for. */
export interface SealRange {
  readonly from: number;
  readonly to: number;
}

const { size, rootKey, reference, generation, now } = workerData as SealJob;
const provider = new LocalProvider(new RootKeys(parseRootKeys(rootKey)), new KeyCache());
const tree = treeOf(size);

parentPort?.on('message', ({ from, to }: SealRange) => {
  void sealedRows(tree, { provider, reference }, generation, { from, to, now }).then((rows) =>
    parentPort?.postMessage(rows),
  );
});
