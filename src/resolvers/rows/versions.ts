import type { SecretVersionModel } from '../../db/generated/models.ts';
import type { SecretRow } from '../../db/secret-row.ts';
import type { Run, Statement } from '../../db/statements.ts';
import { DecryptionFailedError } from '../../errors.ts';
import {
  type EnvelopeContext,
  openEnvelope,
  type SecretContent,
  type SecretValueFormat,
  sealEnvelope,
} from '../../kms/envelope/envelope.ts';
import type { StatementOperation } from '../operation/operation.ts';
import { type UsableKey, useKey } from './usable-key.ts';

export type SecretVersion = SecretVersionModel;

type Bound = Pick<SecretRow, 'organisation' | 'id' | 'project' | 'path' | 'kmsKeyIdentity'>;

/** What a version's envelope is bound to. */
export function envelopeContext(
  secret: Bound,
  region: string,
  version: number,
  format: SecretValueFormat,
): EnvelopeContext {
  const { organisation, project, id: secretId, path, kmsKeyIdentity } = secret;
  return { organisation, region, project, secretId, path, version, format, kmsKeyIdentity };
}

/** Seals content as a version of the secret, still to be inserted: `kms.encrypt` in the log. */
export async function sealVersion(
  { ctx, region, event, at }: StatementOperation,
  secret: Bound,
  number: number,
  key: UsableKey,
  content: SecretContent,
): Promise<SecretVersion> {
  const { subject, issuer } = ctx.principal;
  const { organisation, id: secretId, kmsKeyIdentity } = secret;
  const kmsKeyVersion = key.generation.number;
  const context = envelopeContext(secret, region.name, number, content.format);
  const envelope = await useKey(kmsKeyIdentity, () =>
    sealEnvelope(key.bound, key.generation, context, content),
  );
  event.addKmsEffect('kms.encrypt', { identity: kmsKeyIdentity, version: kmsKeyVersion });
  return {
    ...{ organisation, secretId, number, status: 'ACTIVE', valueFormat: content.format },
    ...{ kmsKeyIdentity, kmsKeyVersion },
    wrappedDataKey: new Uint8Array(envelope.wrappedDataKey),
    ciphertext: new Uint8Array(envelope.ciphertext),
    ...{ createdAt: at, createdBySubject: subject, createdByIssuer: issuer },
    ...{ destroyedAt: null, destroyedBySubject: null, destroyedByIssuer: null },
  };
}

const INSERT = `
  INSERT INTO secret_version (
    organisation, secret_id, number, value_format, kms_key_identity, kms_key_version, wrapped_data_key, ciphertext,
    created_at, created_by_subject, created_by_issuer
  ) VALUES ($1, $2::uuid, $3::int, $4::"SecretValueFormat", $5, $6::int, $7::bytea, $8::bytea, $9::timestamptz, $10, $11)`;
const INSERT_VERSION: Statement = { name: 'insert-version', text: INSERT };
const INSERT_CURRENT_VERSION: Statement = {
  name: 'insert-current-version',
  text: `
    WITH version AS (${INSERT})
    UPDATE secret SET latest_version = $3::int, current_version = $3::int, updated_at = $9::timestamptz
    WHERE organisation = $1 AND id = $2::uuid`,
};

export async function insertVersion(run: Run, version: SecretVersion): Promise<void> {
  await run(INSERT_VERSION, columnsOf(version));
}

/** Inserts the next version of a locked secret, which becomes the current one. */
export async function insertCurrentVersion(run: Run, version: SecretVersion): Promise<void> {
  await run(INSERT_CURRENT_VERSION, columnsOf(version));
}

function columnsOf(version: SecretVersion): readonly unknown[] {
  const { organisation, secretId, number, valueFormat, kmsKeyIdentity, kmsKeyVersion } = version;
  const { wrappedDataKey, ciphertext, createdAt, createdBySubject, createdByIssuer } = version;
  return [
    ...[organisation, secretId, number, valueFormat, kmsKeyIdentity, kmsKeyVersion],
    ...[wrappedDataKey, ciphertext, createdAt, createdBySubject, createdByIssuer],
  ];
}

/**
 * Opens a version, or of a KEY_VALUE just the named entries; null when one is not there. What is opened is zeroed once
 * the request is answered: `kms.decrypt` in the log.
 */
export async function openVersion(
  { ctx, region, event }: Pick<StatementOperation, 'ctx' | 'region' | 'event'>,
  secret: Bound,
  version: Pick<SecretVersion, 'number' | 'valueFormat' | 'wrappedDataKey' | 'ciphertext'>,
  key: UsableKey,
  names?: readonly string[],
): Promise<SecretContent | null> {
  const { wrappedDataKey, ciphertext, number, valueFormat } = version;
  // Active versions have both: the table's check says so, and a row that lies about it does not open.
  if (!wrappedDataKey || !ciphertext) throw new DecryptionFailedError();
  const context = envelopeContext(secret, region.name, number, valueFormat);
  const content = await useKey(secret.kmsKeyIdentity, () =>
    openEnvelope(key.bound, key.generation, context, { wrappedDataKey, ciphertext }, names),
  );
  if (content) ctx.openedEntries.push(...content.entries);
  event.addKmsEffect('kms.decrypt', { identity: secret.kmsKeyIdentity, version: key.generation.number });
  return content;
}

const FIND_VERSION: Statement = {
  name: 'find-version',
  text: `
    SELECT
      organisation, secret_id AS "secretId", number, status, value_format AS "valueFormat",
      kms_key_identity AS "kmsKeyIdentity", kms_key_version AS "kmsKeyVersion", wrapped_data_key AS "wrappedDataKey",
      ciphertext, created_at AS "createdAt", created_by_subject AS "createdBySubject",
      created_by_issuer AS "createdByIssuer", destroyed_at AS "destroyedAt",
      destroyed_by_subject AS "destroyedBySubject", destroyed_by_issuer AS "destroyedByIssuer"
    FROM secret_version WHERE organisation = $1 AND secret_id = $2::uuid AND number = $3::int`,
};

export async function findVersion(
  run: Run,
  { organisation, id }: Pick<SecretRow, 'organisation' | 'id'>,
  number: number,
): Promise<SecretVersion | null> {
  const [row] = await run<SecretVersion>(FIND_VERSION, [organisation, id, number]);
  return row ?? null;
}
