import { type FieldPath, InvalidInputError } from '../../errors.ts';
import { SecretBytes } from '../../kms/envelope/secret-bytes.ts';

export const MAX_VALUE_BYTES = 64 * 1024;

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** Base64 of RFC 4648, section 4, with padding and nothing besides: whatever Buffer would skip or forgive is refused. */
export function decodeSecretData(text: string, field: FieldPath): SecretBytes {
  // Precondition: the length is checked first, so that no expression runs over megabytes.
  if (Buffer.byteLength(text, 'base64') > MAX_VALUE_BYTES) {
    throw new InvalidInputError(field, `A value has at most ${MAX_VALUE_BYTES} bytes.`);
  }
  const bytes = BASE64.test(text) ? Buffer.from(text, 'base64') : null;
  if (bytes?.toString('base64') !== text) {
    bytes?.fill(0);
    throw new InvalidInputError(
      field,
      'A value is base64 (RFC 4648, section 4), padded, with no other characters.',
    );
  }
  return new SecretBytes(bytes);
}
