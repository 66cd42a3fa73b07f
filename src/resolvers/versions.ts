import type { Transaction } from '../db/database.ts';
import type { SecretVersionModel } from '../db/generated/models.ts';
import type { SecretRow } from '../db/secret-row.ts';
import {
  type EnvelopeContext,
  openEnvelope,
  type SecretContent,
  type SecretValueFormat,
  sealEnvelope,
} from '../kms/envelope.ts';
import { DecryptionFailedError } from '../errors.ts';
import { type UsableKey, useKey } from './usable-key.ts';
import type { Operation } from './operate.ts';

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

/** Seals content and writes it as a version of the secret: `kms.encrypt` in the log. */
export async function writeVersion(
  { ctx, region, tx, event, at }: Operation,
  secret: Bound,
  number: number,
  key: UsableKey,
  content: SecretContent,
): Promise<SecretVersion> {
  const context = envelopeContext(secret, region.name, number, content.format);
  const envelope = await useKey(secret.kmsKeyIdentity, () =>
    sealEnvelope(key.bound, key.generation, context, content),
  );
  event.addKmsEffect('kms.encrypt', { identity: secret.kmsKeyIdentity, version: key.generation.number });
  return tx.secretVersion.create({
    data: {
      organisation: secret.organisation,
      secretId: secret.id,
      number,
      valueFormat: content.format,
      kmsKeyIdentity: secret.kmsKeyIdentity,
      kmsKeyVersion: key.generation.number,
      wrappedDataKey: new Uint8Array(envelope.wrappedDataKey),
      ciphertext: new Uint8Array(envelope.ciphertext),
      createdAt: at,
      createdBySubject: ctx.principal.subject,
      createdByIssuer: ctx.principal.issuer,
    },
  });
}

/**
 * Opens a version, or of a KEY_VALUE just the named entries; null when one is not there. What is opened is zeroed once
 * the request is answered: `kms.decrypt` in the log.
 */
export async function openVersion(
  { ctx, region, event }: Pick<Operation, 'ctx' | 'region' | 'event'>,
  secret: Bound,
  version: SecretVersion,
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

export function findVersion(
  tx: Transaction,
  secret: Pick<SecretRow, 'organisation' | 'id'>,
  number: number,
): Promise<SecretVersion | null> {
  return tx.secretVersion.findUnique({
    where: {
      organisation_secretId_number: { organisation: secret.organisation, secretId: secret.id, number },
    },
  });
}
