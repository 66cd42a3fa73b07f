import { z } from 'zod';

/** The external keys that each organisation may bind, as the operator decided. */
export type ExternalKeys = Readonly<Record<string, readonly string[]>>;

/** Of a provider or an organisation. */
const NAME = /^[a-z0-9][a-z0-9-]{0,62}$/;
const TIMEOUT_MS = { least: 100, most: 30_000, otherwise: 5000 };
const timeoutRule = `must be a whole number from ${TIMEOUT_MS.least} to ${TIMEOUT_MS.most}`;

/** The operator's name for a provider. */
export const providerName = z
  .string('must be a string')
  .regex(NAME, 'must be 1 to 63 of a-z 0-9 and -, and not begin with -')
  .refine((name) => name !== 'local', 'must not be local, which is the service itself');

/** How long one call of a provider may take. */
export const timeoutMs = z
  .int(timeoutRule)
  .min(TIMEOUT_MS.least, timeoutRule)
  .max(TIMEOUT_MS.most, timeoutRule)
  .default(TIMEOUT_MS.otherwise);

/** `externalKeys`, whose keys are named as `rule` says. One problem for all of it: its path would name an organisation. */
export function externalKeys(name: RegExp, rule: string) {
  return z.custom<ExternalKeys>(
    (value) =>
      typeof value === 'object' &&
      value !== null &&
      !Array.isArray(value) &&
      Object.entries(value).every(
        ([organisation, keys]) =>
          NAME.test(organisation) &&
          Array.isArray(keys) &&
          keys.length > 0 &&
          keys.every((key) => typeof key === 'string' && name.test(key)),
      ),
    { error: `must give each organisation a list of external keys: ${rule}` },
  );
}
