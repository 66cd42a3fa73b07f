import { randomBytes, randomUUID } from 'node:crypto';
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RootKey } from '../kms/keys/root-keys.ts';
import { parseRootKeys } from './config/root-keys.ts';

/** Where the development root keys of a region are. */
export function rootKeyFile(dataDir: string, region: string): string {
  return join(dataDir, `root-key-${region}`);
}

/**
 * The development root keys of a region in `<dataDir>/root-key-<region>`, one made on first use and readable by its owner
 * only. Two processes that start together end with the same key. Whoever loses the file loses every secret.
 */
export async function openRootKeyFile(dataDir: string, region: string): Promise<readonly RootKey[]> {
  const file = rootKeyFile(dataDir, region);
  const draft = `${file}.${randomUUID()}`;
  await mkdir(dataDir, { recursive: true, mode: 0o711 });
  try {
    await writeFile(draft, `${randomBytes(32).toString('base64')}\n`, { mode: 0o600, flag: 'wx' });
    await link(draft, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await rm(draft, { force: true });
  }
  return parseRootKeys(await readFile(file, 'utf8'));
}
