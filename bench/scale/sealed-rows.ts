import { randomUUID } from 'node:crypto';
import { type BoundKey, sealEnvelope } from '../../src/kms/envelope/envelope.ts';
import { SecretBytes } from '../../src/kms/envelope/secret-bytes.ts';
import type { KmsKeyGeneration } from '../../src/kms/provider.ts';
import { ORGANISATION } from '../dataset.ts';
import { ISSUER } from '../issuer.ts';
import type { Tree } from './tree.ts';

export const REGION = 'local-1';
export const VERSIONS = 3;

/** The columns of each table that is loaded, in the order of its rows' fields. */
export const COLUMNS = {
  secret:
    'organisation, id, project, path, kms_key_identity, labels, annotations, latest_version, current_version, ' +
    'object_version, created_at, created_by_subject, created_by_issuer, updated_at',
  secret_version:
    'organisation, secret_id, number, value_format, kms_key_identity, kms_key_version, wrapped_data_key, ' +
    'ciphertext, created_at, created_by_subject, created_by_issuer',
  secret_access: 'organisation, secret_id, last_accessed_at',
  secret_version_access: 'organisation, secret_id, number, last_accessed_at',
} as const;
export type Table = keyof typeof COLUMNS;

/** Rows in the text format of COPY, a table each. */
export type Rows = Readonly<Record<Table, string>>;

const SUBJECT = 'loader';
const YEAR_MS = 365 * 24 * 3_600_000;
/** Created evenly over two years, and changed and read at any time since. */
const SPAN_MS = 2 * YEAR_MS;
/** The share of secrets that were ever read. */
const READ_SHARE = 0.6;

/** Seals and writes the secrets at these positions of the tree, with all their versions. Values open in a service. */
export async function sealedRows(
  tree: Tree,
  key: BoundKey,
  generation: KmsKeyGeneration,
  range: { readonly from: number; readonly to: number; readonly now: number },
): Promise<Rows> {
  const lines: Record<Table, string[]> = {
    ...{ secret: [], secret_version: [], secret_access: [], secret_version_access: [] },
  };
  const { identity } = key.reference;
  for (let position = range.from; position < range.to; position++) {
    const { path, labels } = tree.at(position);
    const id = randomUUID();
    const createdAt = range.now - SPAN_MS + (position / tree.size) * SPAN_MS;
    const updatedAt = between(createdAt, range.now);
    const secret = [ORGANISATION, id, '', path, identity, json(labels), '{}', VERSIONS, VERSIONS, 1];
    lines.secret.push(line([...secret, time(createdAt), SUBJECT, ISSUER, time(updatedAt)]));
    for (let number = 1; number <= VERSIONS; number++) {
      const row = { organisation: ORGANISATION, region: REGION, project: '', secretId: id, path };
      const context = { ...row, version: number, format: 'STRING' as const, kmsKeyIdentity: identity };
      const value = new SecretBytes(Buffer.from(`version ${number} of ${path}`));
      const content = { format: 'STRING' as const, entries: [{ name: '', value }] };
      const { wrappedDataKey, ciphertext } = await sealEnvelope(key, generation, context, content);
      const at = createdAt + ((updatedAt - createdAt) * (number - 1)) / (VERSIONS - 1);
      const sealed = [ORGANISATION, id, number, 'STRING', identity, generation.number];
      const fields = [...sealed, bytes(wrappedDataKey), bytes(ciphertext), time(at), SUBJECT, ISSUER];
      lines.secret_version.push(line(fields));
    }
    if (Math.random() >= READ_SHARE) continue;
    const readAt = time(between(updatedAt, range.now));
    lines.secret_access.push(line([ORGANISATION, id, readAt]));
    lines.secret_version_access.push(line([ORGANISATION, id, VERSIONS, readAt]));
  }
  const text = (table: Table) => lines[table].join('');
  return {
    ...{ secret: text('secret'), secret_version: text('secret_version') },
    ...{ secret_access: text('secret_access'), secret_version_access: text('secret_version_access') },
  };
}

function between(from: number, to: number): number {
  return from + Math.random() * (to - from);
}

/** Nothing that is written holds a tab, a line feed or a backslash of its own. */
function line(fields: readonly (string | number)[]): string {
  return `${fields.join('\t')}\n`;
}

function json(labels: Readonly<Record<string, string>>): string {
  return JSON.stringify(labels);
}

function time(ms: number): string {
  return new Date(ms).toISOString();
}

function bytes(value: Uint8Array): string {
  return `\\\\x${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex')}`;
}
