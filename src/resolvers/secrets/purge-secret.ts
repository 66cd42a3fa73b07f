import { findSecretById, lockDeletedSecret, type SecretRow } from '../../db/secret-row.ts';
import { AccessDeniedError, NotFoundError } from '../../errors.ts';
import type { Permission } from '../../policy/permission.ts';
import type { RequestContext } from '../context/request-context.ts';
import { decodeGlobalId, encodeGlobalId } from '../input/global-id.ts';
import { decisionOn, may, secretAt } from '../operation/authorise.ts';
import { EventDraft } from '../operation/event-draft.ts';
import { forgetResults } from '../operation/idempotency.ts';
import { operate } from '../operation/operate.ts';
import type { Operation } from '../operation/operation.ts';
import { forgetDataKeys } from '../rows/forget-data-keys.ts';

export interface PurgeSecretPayload {
  readonly purgedId: string;
}

/** Removes a deleted secret with all its versions before its recovery window ends. The log keeps its events. */
export async function purgeSecret(
  ctx: RequestContext,
  input: { readonly id: string },
): Promise<PurgeSecretPayload> {
  const { region, key: id } = decodeGlobalId(ctx, input.id, ['input', 'id'], ['Secret']);
  const draft = () => new EventDraft('secret.purge', 'secret');
  return operate(ctx, region, draft, async (operation) => {
    const secret = await lockDeleted(operation, 'SECRET_PURGE', id);
    return purge(operation, secret);
  });
}

/** Removes a locked secret and everything that hangs on it. Precondition: the caller is authorised. */
export async function purge(operation: Operation, secret: SecretRow): Promise<PurgeSecretPayload> {
  const { region, tx, event } = operation;
  const { organisation, id } = secret;
  event.details['versions'] = String(secret.latestVersion);
  await forgetResults(operation, id);
  await forgetDataKeys(operation, secret);
  await tx.secretVersionAccess.deleteMany({ where: { organisation, secretId: id } });
  await tx.secretAccess.deleteMany({ where: { organisation, secretId: id } });
  await tx.secret.delete({ where: { organisation_id: { organisation, id } } });
  return { purgedId: encodeGlobalId('Secret', region.name, id) };
}

/**
 * The secret of an id while its recovery window lasts, locked, for a caller with the right on it. Throws `NotFoundError`
 * or the refusal; who is refused has waited for no lock and takes none.
 */
export async function lockDeleted(
  operation: Operation,
  permission: Permission,
  id: string,
): Promise<SecretRow> {
  const { ctx, tx, event, at } = operation;
  event.resourceId = id;
  const seen = await findSecretById(operation.run, ctx.principal, id);
  if (!seen?.purgeAt || seen.purgeAt <= at) throw new NotFoundError('deletedSecret');
  event.resource = seen.path;
  requireOnDeleted(operation, permission, seen.path);
  const secret = await lockDeletedSecret(tx, ctx.principal, id, at);
  if (!secret) throw new NotFoundError('deletedSecret');
  // Between the two it may have been restored elsewhere and deleted there.
  if (secret.path !== seen.path) requireOnDeleted(operation, permission, secret.path);
  event.resource = secret.path;
  return secret;
}

/** Throws unless the caller has the right on the deleted secret's path. */
export function requireOnDeleted(
  operation: Pick<Operation, 'ctx' | 'facts' | 'event'>,
  permission: Permission,
  path: string,
): void {
  const decision = decisionOn(operation, permission, secretAt(path));
  if (decision.allowed) return;
  const seen = may(operation, 'SECRET_READ', secretAt(path));
  throw operation.event.deny(
    permission,
    decision.reason,
    seen ? new AccessDeniedError(permission) : new NotFoundError('deletedSecret'),
  );
}
