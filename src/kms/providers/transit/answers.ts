import { z } from 'zod';

const keyAnswer = z.object({
  data: z.object({
    name: z.string().optional(),
    type: z.string(),
    latest_version: z.int().min(1),
    min_decryption_version: z.int().min(0),
    min_encryption_version: z.int().min(0),
    supports_encryption: z.boolean(),
    supports_decryption: z.boolean(),
    derived: z.boolean(),
    exportable: z.boolean(),
    allow_plaintext_backup: z.boolean(),
    soft_deleted: z.boolean().optional(),
  }),
});

/** What transit tells of a key, in its own names. */
export type TransitKey = z.output<typeof keyAnswer>['data'];

/** null for an answer that does not say all of it. */
export function transitKey(body: unknown): TransitKey | null {
  return keyAnswer.safeParse(body).data?.data ?? null;
}

/** A member of `data`; undefined when there is none. */
export function transitField(body: unknown, name: 'ciphertext' | 'plaintext'): unknown {
  return z.object({ data: z.object({ [name]: z.string() }) }).safeParse(body).data?.data[name];
}

/** The sentences of `{"errors": [...]}`, none when it is not that. */
export function transitErrors(body: unknown): readonly string[] {
  const errors = z.object({ errors: z.array(z.string()) }).safeParse(body).data?.errors ?? [];
  return errors.map((error) => error.trim());
}
