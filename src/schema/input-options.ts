/** Input options that many operations share. */

/** Ids contain their region. Everything else is looked up in this region. */
export const regionOption = {
  description: 'The name of the region. If omitted, the default region is used.',
} as const;

export const idempotencyKeyOption = {
  description:
    'A key of 1 to 128 characters that is unique to this call. For 24 hours, the ' +
    'same key with the same input returns the first result instead of writing again.',
} as const;

export const expectedVersionOption = {
  description:
    'The currentVersion that the secret must have; 0 stands for none. If ' +
    'it differs, nothing is written and the result is a ConflictError.',
} as const;

export const expectedObjectVersionOption = {
  description:
    'The objectVersion that the secret must have. If it differs, nothing is ' +
    'changed and the result is a ConflictError. If omitted, there is no check.',
} as const;
