import { z } from 'zod';
import { externalKeys, providerName, timeoutMs } from './provider-fields.ts';

/** A token behind a PKCS#11 module. */
export type Pkcs11Config = z.output<typeof pkcs11ConfigSchema>;

export const pkcs11ConfigSchema = z
  .strictObject({
    name: providerName,
    kind: z.literal('pkcs11'),
    module: z.string('must be a string').min(1, 'must not be empty'),
    tokenLabel: z.string('must be a string').min(1, 'must not be empty'),
    pin: z.string('must be a string').min(1, 'must not be empty').optional(),
    pinFile: z.string('must be a string').min(1, 'must not be empty').optional(),
    timeoutMs,
    externalKeys: externalKeys(/^[\x20-\x7e]{1,128}$/, 'labels of 1 to 128 printable ASCII characters'),
  })
  .superRefine((config, context) => {
    if ((config.pin === undefined) === (config.pinFile === undefined)) {
      const message = 'exactly one of pin and pinFile must be given';
      context.addIssue({ code: 'custom', path: ['pin'], message });
    }
  });
