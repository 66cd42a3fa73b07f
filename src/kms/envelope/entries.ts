import { DecryptionFailedError } from '../../errors.ts';

/**
 * The stored form of a version's sealed entries: a format byte (1), then for each entry the length of its name (1 byte),
 * the name (ASCII), the length of what was sealed (4 bytes, big-endian) and that. One entry can be taken out without
 * decrypting another.
 */
const FORMAT = 1;

export function encodeEntries(
  entries: readonly { readonly name: string; readonly sealed: Uint8Array }[],
): Buffer {
  const parts: Uint8Array[] = [Buffer.of(FORMAT)];
  for (const { name, sealed } of entries) {
    const header = Buffer.alloc(1 + name.length + 4);
    header.writeUInt8(name.length, 0);
    header.write(name, 1, 'latin1');
    header.writeUInt32BE(sealed.byteLength, 1 + name.length);
    parts.push(header, sealed);
  }
  return Buffer.concat(parts);
}

/** Throws `DecryptionFailedError` for anything that `encodeEntries` does not write. */
export function decodeEntries(stored: Uint8Array): ReadonlyMap<string, Uint8Array> {
  const bytes = Buffer.from(stored.buffer, stored.byteOffset, stored.byteLength);
  const entries = new Map<string, Uint8Array>();
  try {
    if (bytes.readUInt8(0) !== FORMAT) throw new DecryptionFailedError();
    for (let at = 1; at < bytes.byteLength;) {
      const nameLength = bytes.readUInt8(at);
      const name = bytes.toString('latin1', at + 1, at + 1 + nameLength);
      const start = at + 1 + nameLength + 4;
      const end = start + bytes.readUInt32BE(start - 4);
      if (end > bytes.byteLength || entries.has(name)) throw new DecryptionFailedError();
      entries.set(name, bytes.subarray(start, end));
      at = end;
    }
  } catch {
    throw new DecryptionFailedError();
  }
  if (entries.size === 0) throw new DecryptionFailedError();
  return entries;
}
