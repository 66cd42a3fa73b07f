/** Options of input that many operations share. */

/** Ids carry their region; everything else is looked for in this one. */
export const regionOption = {
  description: 'The name of the region. If omitted, it is the default region.',
} as const;

export const idempotencyKeyOption = {
  description:
    'A key of 1 to 128 characters, unique to this call. For 24 hours the same key with the same input answers the first ' +
    'result instead of writing again.',
} as const;

export const expectedVersionOption = {
  description:
    "Write only if this is the secret's currentVersion now; 0 stands for none. Otherwise the answer is a ConflictError.",
} as const;

export const expectedObjectVersionOption = {
  description:
    "Change only if this is the secret's objectVersion now. Otherwise the answer is a ConflictError. If omitted, there is no such check.",
} as const;
