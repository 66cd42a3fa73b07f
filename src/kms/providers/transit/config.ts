import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { SecretBytes } from '../../envelope/secret-bytes.ts';
import { externalKeys, providerName, timeoutMs } from '../fields.ts';
import { serverOrigin } from '../server-origin.ts';

/**
 * What transit takes for a key's name (`framework.GenericNameRegex` in Vault and OpenBao): it begins and ends with a
 * letter, digit or _, so it is never `.` or `..` and stays one segment of a path.
 */
export const TRANSIT_KEY_NAME = /^[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,126}[A-Za-z0-9_])?$/;
const PATH =
  /^[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?(?:\/[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?)*$/;
const TOKEN = /^[\x21-\x7e]{1,4096}$/;
const pathRule = 'must be names of A-Z a-z 0-9 _ . - between slashes, without one at either end';
const tokenRule = 'must be a token: printable ASCII without spaces';

/** A key of Vault's or OpenBao's transit engine. Exactly one of token and tokenFile is there. */
export type TransitConfig = z.output<ReturnType<typeof transitConfigSchema>>;

export function transitConfigSchema(production: boolean) {
  return z
    .strictObject({
      name: providerName,
      kind: z.literal('transit'),
      address: serverOrigin(production),
      mount: z.string('must be a string').max(128, pathRule).regex(PATH, pathRule).default('transit'),
      namespace: z.string('must be a string').max(256, pathRule).regex(PATH, pathRule).optional(),
      token: z
        .string('must be a string')
        .regex(TOKEN, tokenRule)
        .transform((token) => new SecretBytes(Buffer.from(token)))
        .optional(),
      tokenFile: fileThat((file) => void readTokenFile(file)).optional(),
      caFile: fileThat((file) => void readCaFile(file)).optional(),
      timeoutMs,
      externalKeys: externalKeys(
        TRANSIT_KEY_NAME,
        'names of 1 to 128 of A-Z a-z 0-9 _ . - that begin and end with a letter, digit or _',
      ),
    })
    .superRefine((config, context) => {
      if ((config.token === undefined) === (config.tokenFile === undefined)) {
        const message = 'exactly one of token and tokenFile must be given';
        context.addIssue({ code: 'custom', path: ['token'], message });
      }
    });
}

/** The token in a file, white space around it aside. Throws an error that quotes neither. */
export function readTokenFile(file: string): SecretBytes {
  const token = read(file).trim();
  if (!TOKEN.test(token)) throw new Error('must name a file that holds a token and nothing else');
  return new SecretBytes(Buffer.from(token));
}

/** The PEM certificates in a file. */
export function readCaFile(file: string): string {
  const pem = read(file);
  try {
    new X509Certificate(pem);
  } catch {
    throw new Error('must name a file of PEM certificates');
  }
  return pem;
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    throw new Error('names a file that cannot be read');
  }
}

function fileThat(works: (file: string) => void) {
  return z.string('must be a string').superRefine((file, context) => {
    try {
      works(file);
    } catch (error) {
      context.addIssue((error as Error).message);
    }
  });
}
