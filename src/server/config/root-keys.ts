import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { SecretBytes } from '../../kms/envelope/secret-bytes.ts';
import { type RootKey, rootKeyId } from '../../kms/keys/root-keys.ts';

/** Where root keys come from: a text, a file with such a text, or neither. */
export interface RootKeySource {
  readonly text: string | undefined;
  readonly file: string | undefined;
}

/** The root keys of a source, null of none. */
export const rootKeySource = z
  .custom<RootKeySource>()
  .transform(({ text, file }, context): readonly RootKey[] | null => {
    try {
      if (text !== undefined && file !== undefined) throw new Error('and its file must not both be set');
      if (file !== undefined) return parseRootKeys(readKeyFile(file));
      return text === undefined ? null : parseRootKeys(text);
    } catch (error) {
      context.addIssue((error as Error).message);
      return z.NEVER;
    }
  });

function readKeyFile(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    throw new Error('names a file that cannot be read');
  }
}

/** One root key, or several separated by commas or line ends, newest first: base64 of 32 bytes, each after `id:` or not. */
export function parseRootKeys(text: string): readonly RootKey[] {
  const keys = text
    .split(/[,\n]/)
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '')
    .map(parseRootKey);
  if (keys.length === 0) throw new Error('must hold a root key');
  if (new Set(keys.map(({ id }) => id)).size < keys.length) throw new Error('must not name a root key twice');
  return keys;
}

function parseRootKey(entry: string): RootKey {
  const [, id, base64 = ''] = /^(?:([A-Za-z0-9_.-]{1,64}):)?([A-Za-z0-9+/]{43}=)$/.exec(entry) ?? [];
  const key = SecretBytes.fromBase64(base64);
  if (key.byteLength !== 32) throw new Error('must be base64 of 32 bytes, or id:base64');
  return { id: id ?? rootKeyId(key), key };
}
