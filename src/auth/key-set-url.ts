import { z } from 'zod';

/** The parser has normalised `127.1` and the like by now, so a host of this form is an address, not a DNS name. */
const LOOPBACK_HOST = /^(?:localhost|\[::1\]|127(?:\.[0-9]{1,3}){3})$/;

/** Where an issuer publishes its keys. Private addresses are the operator's right; plain http leaves the machine never. */
export function keySetUrl(production: boolean) {
  return z.string('must be a string').superRefine((text, context) => {
    const problem = urlProblem(text, production);
    if (problem !== null) context.addIssue(problem);
  });
}

function urlProblem(text: string, production: boolean): string | null {
  const url = URL.parse(text);
  if (url === null) return 'must be an absolute URL';
  if (url.username !== '' || url.password !== '') return 'must not hold a user name or password';
  if (url.protocol === 'https:') return null;
  if (production) return 'must be https';
  if (url.protocol === 'http:' && LOOPBACK_HOST.test(url.hostname)) return null;
  return 'must be https, or http to a loopback host (127.0.0.0/8, ::1, localhost)';
}
