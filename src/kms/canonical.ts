/**
 * One byte string for one list of fields, whatever they hold: each field as UTF-8 behind its length in bytes (32 bits,
 * big-endian), so that no two lists share an encoding. The first field names the purpose.
 */
export function canonical(fields: readonly (string | number | Uint8Array)[]): Buffer {
  const parts: Uint8Array[] = [];
  for (const field of fields) {
    const bytes = typeof field === 'object' ? field : Buffer.from(String(field), 'utf8');
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.byteLength);
    parts.push(length, bytes);
  }
  return Buffer.concat(parts);
}
