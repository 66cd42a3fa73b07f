import { hash, randomBytes } from 'node:crypto';
import { DecryptionFailedError } from '../../errors.ts';
import type { KmsKeyGeneration, KmsKeyReference, KmsProvider } from '../provider.ts';
import { aeadOpen, aeadSeal, KEY_BYTES } from './aead.ts';
import { canonical } from './canonical.ts';
import { decodeEntries, encodeEntries } from './entries.ts';
import { SecretBytes } from './secret-bytes.ts';

export type SecretValueFormat = 'STRING' | 'KEY_VALUE';

/** The name of the one entry that a STRING has; a KEY_VALUE's entries are never named so. */
export const STRING_ENTRY = '';

export interface SecretEntry {
  readonly name: string;
  readonly value: SecretBytes;
}

/** A value in the open. */
export interface SecretContent {
  readonly format: SecretValueFormat;
  readonly entries: readonly SecretEntry[];
}

/** The row that an envelope belongs to: all of it is authenticated, so that it opens in that row and nowhere else. */
export interface EnvelopeContext {
  readonly organisation: string;
  readonly region: string;
  readonly project: string;
  readonly secretId: string;
  readonly path: string;
  readonly version: number;
  readonly format: SecretValueFormat;
  readonly kmsKeyIdentity: string;
}

/** A value at rest: the data key wrapped by the KMS key's generation, and each entry sealed under the data key. */
export interface Envelope {
  readonly wrappedDataKey: Uint8Array;
  readonly ciphertext: Uint8Array;
}

/** A KMS key with the provider that holds it. */
export interface BoundKey {
  readonly provider: KmsProvider;
  readonly reference: KmsKeyReference;
  /** Where a seal may have to begin again: the data key that it began with. Left out: a new one each time. */
  readonly freshDataKey?: (context: Uint8Array) => SecretBytes;
}

const ENVELOPE_SCHEMA = 1;

/** Seals a value under a fresh data key. Zeroes the data key, not the content, which is its owner's. */
export async function sealEnvelope(
  key: BoundKey,
  generation: KmsKeyGeneration,
  context: EnvelopeContext,
  content: SecretContent,
): Promise<Envelope> {
  const bound = wrapContext(context);
  const dataKey = key.freshDataKey?.(bound) ?? new SecretBytes(randomBytes(KEY_BYTES));
  try {
    const digest = entryNamesDigest(content.entries.map((entry) => entry.name));
    const sealed = content.entries.map(({ name, value }) => ({
      name,
      sealed: aeadSeal('AES256_GCM96', dataKey.reveal(), value.reveal(), entryContext(context, name, digest)),
    }));
    const wrappedDataKey = await key.provider.wrap(key.reference, generation, dataKey, bound);
    return { wrappedDataKey, ciphertext: encodeEntries(sealed) };
  } finally {
    dataKey.zero();
  }
}

/**
 * Opens an envelope, or of a KEY_VALUE just the named entries, in the order of the names; null when one of the names is
 * not there. The rest is not decrypted. Throws `DecryptionFailedError` when anything differs from what was sealed.
 */
export async function openEnvelope(
  key: BoundKey,
  generation: KmsKeyGeneration,
  context: EnvelopeContext,
  envelope: Envelope,
  names?: readonly string[],
): Promise<SecretContent | null> {
  const dataKey = await key.provider.unwrap(
    key.reference,
    generation,
    envelope.wrappedDataKey,
    wrapContext(context),
  );
  const opened: SecretEntry[] = [];
  try {
    const stored = decodeEntries(envelope.ciphertext);
    const digest = entryNamesDigest([...stored.keys()]);
    for (const name of names ?? stored.keys()) {
      const sealed = stored.get(name);
      if (!sealed) {
        zeroEntries(opened);
        return null;
      }
      const value = aeadOpen('AES256_GCM96', dataKey.reveal(), sealed, entryContext(context, name, digest));
      opened.push({ name, value: new SecretBytes(value) });
    }
    return { format: context.format, entries: opened };
  } catch (error) {
    zeroEntries(opened);
    throw error;
  } finally {
    dataKey.zero();
  }
}

/** Wraps the same data key anew: for another path, or under another generation. The value stays sealed. */
export async function rewrapDataKey(
  key: BoundKey,
  from: { readonly generation: KmsKeyGeneration; readonly context: EnvelopeContext },
  to: { readonly generation: KmsKeyGeneration; readonly context: EnvelopeContext },
  wrappedDataKey: Uint8Array,
): Promise<Uint8Array> {
  const dataKey = await key.provider.unwrap(
    key.reference,
    from.generation,
    wrappedDataKey,
    wrapContext(from.context),
  );
  try {
    // Only the path may change: everything else is bound into the sealed entries, which would open no more.
    if (!sealContext(from.context).equals(sealContext(to.context))) throw new DecryptionFailedError();
    return await key.provider.wrap(key.reference, to.generation, dataKey, wrapContext(to.context));
  } finally {
    dataKey.zero();
  }
}

export function zeroEntries(entries: readonly SecretEntry[]): void {
  for (const entry of entries) entry.value.zero();
}

function wrapContext(context: EnvelopeContext): Buffer {
  return canonical(['strongroom/data-key', ...rowFields(context), context.path]);
}

function sealContext(context: EnvelopeContext): Buffer {
  return canonical(['strongroom/value', ...rowFields(context)]);
}

function entryContext(context: EnvelopeContext, name: string, digest: Uint8Array): Buffer {
  return canonical(['strongroom/entry', sealContext(context), name, digest]);
}

function rowFields(context: EnvelopeContext): (string | number)[] {
  const { organisation, region, project, secretId, version, format, kmsKeyIdentity } = context;
  return [ENVELOPE_SCHEMA, organisation, region, project, secretId, version, format, kmsKeyIdentity];
}

/** SHA-256 over all names, sorted bytewise: in every entry's context, so that a dropped or added entry shows. */
function entryNamesDigest(names: readonly string[]): Buffer {
  if (names.length === 1 && names[0] === STRING_ENTRY) return STRING_NAMES_DIGEST;
  const sorted = [...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  return hash('sha256', canonical(sorted), 'buffer');
}

const STRING_NAMES_DIGEST = hash('sha256', canonical([STRING_ENTRY]), 'buffer');
