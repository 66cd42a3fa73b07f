import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

const MAX_SKEW_MS = 5 * 60 * 1000;
const sha256 = (data: string | Uint8Array) => createHash('sha256').update(data).digest('hex');
const hmac = (key: string | Uint8Array, data: string) => createHmac('sha256', key).update(data).digest();

/**
 * What is wrong with a request's Signature Version 4, or null. Written from the description alone, for requests with the
 * path / and no query: https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
 */
export function sigv4Problem(
  request: { readonly method: string; readonly headers: IncomingHttpHeaders; readonly body: Uint8Array },
  credentials: AwsCredentials,
  scope: { readonly region: string; readonly service: string },
): string | null {
  const { method, headers, body } = request;
  const match =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})$/.exec(
      headers.authorization ?? '',
    );
  if (!match) return 'no signature';
  const [, id, day = '', region, service, names = '', signature = ''] = match;
  if (id !== credentials.accessKeyId || headers['x-amz-security-token'] !== credentials.sessionToken) {
    return 'other credentials';
  }
  if (region !== scope.region || service !== scope.service) return 'another scope';
  const time = String(headers['x-amz-date']);
  const iso = time.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z');
  if (!time.startsWith(day) || !(Math.abs(Date.parse(iso) - Date.now()) < MAX_SKEW_MS)) return 'another time';
  const signed = names.split(';');
  if (signed.join() !== [...signed].sort().join()) return 'unsorted headers';
  const needed = [
    'content-type',
    'host',
    ...Object.keys(headers).filter((name) => name.startsWith('x-amz-')),
  ];
  if (!needed.every((name) => signed.includes(name))) return 'headers that are not signed';
  const canonicalRequest = [
    ...[method, '/', ''],
    ...signed.map((name) => `${name}:${String(headers[name]).trim().replaceAll(/ +/g, ' ')}`),
    ...['', names, sha256(body)],
  ].join('\n');
  const place = `${day}/${scope.region}/${scope.service}/aws4_request`;
  const stringToSign = ['AWS4-HMAC-SHA256', time, place, sha256(canonicalRequest)].join('\n');
  const key = place.split('/').reduce<string | Buffer>(hmac, `AWS4${credentials.secretAccessKey}`);
  const expected = hmac(key, stringToSign);
  return timingSafeEqual(expected, Buffer.from(signature, 'hex')) ? null : 'another signature';
}
