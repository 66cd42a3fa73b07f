import { fileURLToPath } from 'node:url';
import { join, relative } from 'node:path';

export interface Frame {
  readonly functionName: string;
  readonly url: string;
}

const ROOT = join(import.meta.dirname, '../..');

/** Where a function is written, shorter than its URL. */
export function placeOf(url: string): string {
  if (!url.startsWith('file:')) return url;
  return relative(ROOT, fileURLToPath(url));
}

/** Whose the time of a function is: a package, a folder under src/, Node's own code, or what V8 reports without a file. */
export function ownerOf({ functionName, url }: Frame, caller: Frame | undefined): string {
  if (functionName === '(garbage collector)') return 'GC';
  if (functionName === '(idle)') return 'idle';
  if (functionName === '(program)') return 'native, outside any function';
  if (url.startsWith('wasm:')) return 'WebAssembly';
  if (url.startsWith('node:')) return /crypto|webidl/.test(url) ? 'Node internals: crypto' : 'Node internals';
  if (url === '') return caller && /crypto/.test(caller.url) ? 'native crypto' : 'native';
  const place = placeOf(url);
  const packaged = /^.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(place)?.[1];
  if (packaged !== undefined) return packaged;
  return /^src\/db\/generated|^src\/[^/]+/.exec(place)?.[0] ?? place;
}
