/**
 * One byte string for one list of fields, whatever they hold: each field as UTF-8 behind its length in bytes (32 bits,
 * big-endian), so that no two lists share an encoding. The first field names the purpose.
 */
export function canonical(fields: readonly (string | number | Uint8Array)[]): Buffer {
  const texts = fields.map((field) => (typeof field === 'number' ? String(field) : field));
  let size = 0;
  for (const field of texts) size += 4 + Buffer.byteLength(field);
  const bytes = Buffer.allocUnsafe(size);
  let at = 0;
  for (const field of texts) {
    const start = at + 4;
    if (typeof field === 'string') at = start + bytes.write(field, start, 'utf8');
    else {
      bytes.set(field, start);
      at = start + field.byteLength;
    }
    bytes.writeUInt32BE(at - start, start - 4);
  }
  return bytes;
}
