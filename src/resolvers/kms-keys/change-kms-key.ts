import type { AuditAction } from '../../audit/event.ts';
import { notify } from '../../db/notifications.ts';
import { NotFoundError } from '../../errors.ts';
import { ownerOf } from '../../kms/keys/key-cache.ts';
import type { Permission } from '../../policy/permission.ts';
import type { RequestContext } from '../context/request-context.ts';
import { regionOf } from '../input/region-of.ts';
import { requireCleanText } from '../input/require-clean-text.ts';
import { kmsKeyOf, may, requireOnKmsKey } from '../operation/authorise.ts';
import { EventDraft } from '../operation/event-draft.ts';
import { operate } from '../operation/operate.ts';
import type { Operation } from '../operation/operation.ts';
import type { KmsKey } from '../rows/secret-types.ts';
import { findKmsKey, type KmsKey as KmsKeyRow } from '../rows/usable-key.ts';

export interface KmsKeyReference {
  readonly identity: string;
  readonly region?: string | null;
}

/** `kmsKey` is null for a caller without KMS_KEY_READ on it. */
export interface KmsKeyPayload {
  readonly kmsKey: KmsKey | null;
}

/** What changes in the key's row; null when it stands already as it was asked for. */
export type KmsKeyChange = Partial<Omit<KmsKeyRow, 'organisation' | 'identity'>> | null;

/**
 * Changes a KMS key in one transaction with its event. Other changes of the key wait, and so do secrets that are being
 * created under it. Once it is done, no gateway keeps what it had unwrapped of the key.
 */
export async function changeKmsKey(
  ctx: RequestContext,
  reference: KmsKeyReference,
  action: AuditAction,
  permission: Permission,
  change: (operation: Operation, key: KmsKeyRow) => Promise<KmsKeyChange>,
): Promise<KmsKeyPayload> {
  const region = regionOf(ctx, reference.region, ['input', 'region']);
  requireCleanText(reference.identity, ['input', 'identity'], 'line');
  const draft = () => new EventDraft(action, 'kms-key', reference.identity);
  const { owner, payload } = await operate(ctx, region, draft, async (operation) => {
    // Who is refused waits for no lock: the wait would tell that there is something.
    const seen = await findKmsKey(operation.tx, ctx.principal, reference.identity);
    if (!seen) throw new NotFoundError('kmsKey');
    requireOnKmsKey(operation, permission, seen.identity);
    const key = await lockKmsKeyForChange(operation, reference.identity);
    if (!key) throw new NotFoundError('kmsKey');
    const changed = await applyChange(operation, key, await change(operation, key));
    return { owner: ownerOf(key), payload: kmsKeyPayload(operation, changed) };
  });
  region.keyCache.forget(owner);
  return payload;
}

/** Writes the change and tells every gateway. */
export async function applyChange(
  { tx }: Operation,
  key: KmsKeyRow,
  change: KmsKeyChange,
): Promise<KmsKeyRow> {
  if (!change) return key;
  const { organisation, identity } = key;
  await tx.kmsKey.update({ where: { organisation_identity: { organisation, identity } }, data: change });
  await notify(tx, 'kms-key', ownerOf(key));
  return { ...key, ...change };
}

export async function lockKmsKeyForChange(
  { ctx, tx }: Operation,
  identity: string,
): Promise<KmsKeyRow | null> {
  const { organisation, project } = ctx.principal;
  await tx.$executeRaw`
    SELECT FROM kms_key
    WHERE organisation = ${organisation} AND project = ${project} AND identity = ${identity} FOR UPDATE`;
  return findKmsKey(tx, ctx.principal, identity);
}

export function kmsKeyPayload(operation: Operation, key: KmsKeyRow): KmsKeyPayload {
  const { region } = operation;
  return { kmsKey: may(operation, 'KMS_KEY_READ', kmsKeyOf(key.identity)) ? { ...key, region } : null };
}
