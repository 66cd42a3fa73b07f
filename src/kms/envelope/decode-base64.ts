/** The bytes of canonical base64 (RFC 4648, section 4, padded), or null when it is not that or not of this length. */
export function decodeBase64(text: unknown, byteLength: number): Buffer | null {
  if (typeof text !== 'string' || text.length !== Math.ceil(byteLength / 3) * 4) return null;
  const bytes = Buffer.from(text, 'base64');
  return bytes.byteLength === byteLength && bytes.toString('base64') === text ? bytes : null;
}
