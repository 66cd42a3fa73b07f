import { z } from 'zod';

/** The parser has normalised `127.1` and the like by now, so a host of this form is an address, not a DNS name. */
const LOOPBACK_HOST = /^(?:localhost|\[::1\]|127(?:\.[0-9]{1,3}){3})$/;

/** Scheme, host and port of a server that is told data keys: plain http leaves the machine never, nor is used in production. */
export function serverOrigin(production: boolean) {
  return z
    .string('must be a string')
    .superRefine((text, context) => {
      const problem = originProblem(text, production);
      if (problem !== null) context.addIssue(problem);
    })
    .transform((text) => new URL(text).origin);
}

function originProblem(text: string, production: boolean): string | null {
  const url = URL.parse(text);
  if (url === null || (text !== url.origin && text !== `${url.origin}/`)) {
    return 'must be scheme, host and port alone, such as https://kms.example.com:8200';
  }
  if (url.protocol === 'https:') return null;
  if (production) return 'must be https';
  if (url.protocol === 'http:' && LOOPBACK_HOST.test(url.hostname)) return null;
  return 'must be https, or http to a loopback host (127.0.0.0/8, ::1, localhost)';
}
