import { isUniqueViolation } from '../../db/database.ts';
import type { SecretRow } from '../../db/secret-row.ts';
import { AlreadyExistsError, DecryptionFailedError } from '../../errors.ts';
import { rewrapDataKey } from '../../kms/envelope/envelope.ts';
import { parseSecretPath } from '../../policy/secret-path.ts';
import type { RequestContext } from '../context/request-context.ts';
import { decodeGlobalId } from '../input/global-id.ts';
import { requireAccessPolicy, requireKeyUse } from '../operation/authorise.ts';
import { EventDraft } from '../operation/event-draft.ts';
import { operate } from '../operation/operate.ts';
import type { Operation } from '../operation/operation.ts';
import { type SecretPayload, secretPayload } from '../rows/secret-types.ts';
import { keyOfSecret, usableKey, useKey } from '../rows/usable-key.ts';
import { envelopeContext } from '../rows/versions.ts';
import { requireCreate } from './create-secret.ts';
import { lockDeleted, requireOnDeleted } from './purge-secret.ts';

export interface RestoreSecretInput {
  readonly id: string;
  readonly path?: string | null;
}

/**
 * Brings a deleted secret back, to its own path or to another. The latter is a move: it needs the right to read the
 * value where it was and to create where it goes, and re-wraps the data keys without opening a value.
 */
export async function restoreSecret(ctx: RequestContext, input: RestoreSecretInput): Promise<SecretPayload> {
  const { region, key: id } = decodeGlobalId(ctx, input.id, ['input', 'id'], ['Secret']);
  const target = input.path == null ? null : parseSecretPath(input.path, ['input', 'path']);
  const draft = () => new EventDraft('secret.restore', 'secret');
  return operate(ctx, region, draft, async (operation) => {
    const { tx, event, at } = operation;
    const deleted = await lockDeleted(operation, 'SECRET_DELETE', id);
    const path = target ?? deleted.path;
    const moves = path !== deleted.path;
    if (moves) {
      requireOnDeleted(operation, 'SECRET_GET_VALUE', deleted.path);
      requireCreate(operation, path);
      requireKeyUse(operation, deleted);
      requireAccessPolicy(operation, 'SECRET_GET_VALUE', deleted);
    }
    event.details['path'] = path;
    const state = {
      path,
      deletedAt: null,
      purgeAt: null,
      objectVersion: deleted.objectVersion + 1,
      updatedAt: at,
    };
    try {
      await tx.secret.update({
        where: { organisation_id: { organisation: deleted.organisation, id } },
        data: state,
      });
    } catch (error) {
      if (isUniqueViolation(error)) throw new AlreadyExistsError('path');
      throw error;
    }
    if (moves) await rewrapVersions(operation, deleted, path);
    return secretPayload(operation, region, { ...deleted, ...state });
  });
}

/** Binds the data keys of all active versions to the new path. */
async function rewrapVersions(operation: Operation, secret: SecretRow, path: string): Promise<void> {
  const { region, tx, event, keys } = operation;
  const { organisation, id: secretId, kmsKeyIdentity: identity } = secret;
  const key = keyOfSecret(secret);
  const versions = await tx.secretVersion.findMany({
    where: { organisation, secretId, status: 'ACTIVE' },
    orderBy: { number: 'asc' },
  });
  const to = await usableKey(operation, key);
  await keys.each(versions, async ({ number, valueFormat, kmsKeyVersion, wrappedDataKey }) => {
    if (!wrappedDataKey) throw new DecryptionFailedError();
    const from = await usableKey(operation, key, kmsKeyVersion);
    const contextAt = (at: string) =>
      envelopeContext({ ...secret, path: at }, region.name, number, valueFormat);
    const rewrapped = await useKey(identity, () =>
      rewrapDataKey(
        to.bound,
        { generation: from.generation, context: contextAt(secret.path) },
        { generation: to.generation, context: contextAt(path) },
        wrappedDataKey,
      ),
    );
    await tx.secretVersion.update({
      where: { organisation_secretId_number: { organisation, secretId, number } },
      data: { wrappedDataKey: new Uint8Array(rewrapped), kmsKeyVersion: to.generation.number },
    });
    event.addKmsEffect(
      'kms.rewrap',
      { identity, version: to.generation.number },
      { secretVersion: String(number) },
    );
  });
}
