import { isAbsolute } from 'node:path';
import { z } from 'zod';

const TIMEOUT_MS = { least: 100, most: 30_000, usual: 5_000 };
const timeoutRule = `must be a whole number from ${TIMEOUT_MS.least} to ${TIMEOUT_MS.most}`;
/** Of a provider or an organisation. */
const NAME = /^[a-z0-9][a-z0-9-]{0,62}$/;
/** A CKA_LABEL that may be an `externalKeyId`. */
const KEY_LABEL = /^[\x20-\x7e]{1,128}$/;

const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;

const text = z.string('must be a string').min(1, 'must not be empty');

const absolutePath = z
  .string('must be a string')
  .refine((path) => isAbsolute(path), 'must be an absolute path');

/** One entry of STRONGROOM_KMS_PROVIDERS of the kind `pkcs11`; the messages name rules, never a value. */
export const pkcs11ConfigSchema = z
  .strictObject({
    name: z
      .string('must be a string')
      .regex(NAME, 'must be 1 to 63 of a-z 0-9 and -, and not begin with -')
      .refine((name) => name !== 'local', 'must not be local, which is the service itself'),
    kind: z.literal('pkcs11'),
    /** The vendor's shared library. */
    module: absolutePath,
    tokenLabel: text.refine(
      (label) => Buffer.byteLength(label) <= 32,
      'must have at most 32 bytes: no token has a longer label',
    ),
    pin: text.optional(),
    /** Read when a process for the token starts, and again when the token refused the PIN. */
    pinFile: absolutePath.optional(),
    timeoutMs: z
      .int(timeoutRule)
      .min(TIMEOUT_MS.least, timeoutRule)
      .max(TIMEOUT_MS.most, timeoutRule)
      .default(TIMEOUT_MS.usual),
    /** Variables for the vendor's library: its process gets HOME, SOFTHSM2_CONF and these, nothing else. */
    environment: z
      .custom<Readonly<Record<string, string>>>(isEnvironment, 'must give names of variables a string each')
      .default({}),
    /** CKA_LABELs that an organisation may bind, by the organisation's name. */
    externalKeys: z.custom<Readonly<Record<string, readonly string[]>>>(isListOfKeys, {
      error:
        'must give each organisation a list of external keys: labels of 1 to 128 printable ASCII characters',
    }),
  })
  .superRefine(({ pin, pinFile, externalKeys }, context) => {
    if ((pin === undefined) === (pinFile === undefined)) {
      context.addIssue({
        code: 'custom',
        path: ['pin'],
        message: 'exactly one of pin and pinFile must be given',
      });
    }
    const labels = Object.values(externalKeys).flat();
    if (new Set(labels).size < labels.length) {
      context.addIssue({
        code: 'custom',
        path: ['externalKeys'],
        message: 'must not name a key twice: one key serves one organisation',
      });
    }
  });

export type Pkcs11Config = z.output<typeof pkcs11ConfigSchema>;

/** By hand: a record's own checks put a wrong member's name, which may be anything, into the path of the problem. */
function isEnvironment(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.entries(value).every(([name, text]) => VARIABLE.test(name) && typeof text === 'string');
}

function isListOfKeys(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.entries(value).every(
    ([organisation, labels]) =>
      NAME.test(organisation) &&
      Array.isArray(labels) &&
      labels.length > 0 &&
      labels.every((label) => typeof label === 'string' && KEY_LABEL.test(label)),
  );
}
