import { isAbsolute } from 'node:path';
import { z } from 'zod';

const TIMEOUT_MS = { least: 500, most: 60_000, usual: 5_000 };
const timeoutRule = `must be a whole number from ${TIMEOUT_MS.least} to ${TIMEOUT_MS.most}`;

/** Of a provider or an organisation. */
const NAME = /^[a-z0-9][a-z0-9-]{0,62}$/;

const text = z.string('must be a string').min(1, 'must not be empty');

/** A CKA_LABEL; the column of `externalKeyId` holds as much. */
const keyLabel = z
  .string('must be a string')
  .regex(/^[^\p{Cc}\p{Cs}]{1,128}$/u, 'must be 1 to 128 characters, none of them a control character');

const absolutePath = z
  .string('must be a string')
  .refine((path) => isAbsolute(path), 'must be an absolute path');

/** A record's own check of its keys would put a wrong one, which may be anything, into the path of the problem. */
const named = (pattern: RegExp) => (record: Readonly<Record<string, unknown>>) =>
  Object.keys(record).every((name) => pattern.test(name));

/** One entry of STRONGROOM_KMS_PROVIDERS of the kind `pkcs11`; the messages name rules, never a value. */
export const pkcs11ProviderSchema = z
  .strictObject({
    name: z.string('must be a string').regex(NAME, 'must be 1 to 63 of a-z 0-9 and -, and not begin with -'),
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
      .record(z.string(), z.string('must be a string'), 'must be an object')
      .refine(named(/^[A-Za-z_][A-Za-z0-9_]*$/), 'must have names of variables as its members')
      .default({}),
    /** CKA_LABELs that an organisation may bind, by the organisation's name. */
    externalKeys: z
      .record(
        z.string(),
        z.array(keyLabel, 'must be a list').min(1, 'must not be empty'),
        'must be an object',
      )
      .refine(named(NAME), 'must have names of organisations as its members'),
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

export type Pkcs11Config = z.output<typeof pkcs11ProviderSchema>;
