import { findSecretById } from '../db/secret-row.ts';
import { runIn } from '../db/statements.ts';
import { InvalidInputError } from '../errors.ts';
import { parseFolderPath } from '../policy/secret-path.ts';
import { type AuditEvent, readableAuditEvent } from './audit/audit-event.ts';
import type { Region, RequestContext } from './context/request-context.ts';
import { decodeGlobalId, type GlobalId } from './input/global-id.ts';
import { readableKmsKey } from './kms-keys/kms-key.ts';
import { decidingIn, may, secretAt } from './operation/authorise.ts';
import type { NamedPolicy } from './policies/policy-types.ts';
import { readablePolicy } from './policies/policy.ts';
import type { KmsKey, Secret, SecretVersion } from './rows/secret-types.ts';
import { findFolder, type Folder } from './secrets/find-folder.ts';
import { secretVersion } from './versions/secret-version.ts';

export type Node = Secret | SecretVersion | Folder | KmsKey | NamedPolicy | AuditEvent;

/** A node with the type that its id names. */
export interface TypedNode {
  readonly type: GlobalId['type'];
  readonly node: Node;
}

/** The object of an id; null when it is missing, elsewhere, or hidden from the caller. */
export async function node(ctx: RequestContext, args: { readonly id: string }): Promise<TypedNode | null> {
  return load(ctx, decodeGlobalId(ctx, args.id, ['id']));
}

const MAX_IDS = 100;

/** The objects of at most 100 ids, in their order. */
export async function nodes(
  ctx: RequestContext,
  args: { readonly ids: readonly string[] },
): Promise<(TypedNode | null)[]> {
  if (args.ids.length > MAX_IDS) throw new InvalidInputError(['ids'], `There are at most ${MAX_IDS} ids.`);
  const ids = args.ids.map((id, index) => decodeGlobalId(ctx, id, ['ids', String(index)]));
  return Promise.all(ids.map((id) => load(ctx, id)));
}

async function load(ctx: RequestContext, id: GlobalId): Promise<TypedNode | null> {
  const node = await loadNode(ctx, id);
  return node && { type: id.type, node };
}

async function loadNode(ctx: RequestContext, { type, region, key }: GlobalId): Promise<Node | null> {
  switch (type) {
    case 'Secret':
      return readableSecret(ctx, region, key);
    case 'SecretVersion': {
      const secret = await readableSecret(ctx, region, key.slice(0, 36));
      return secret && secretVersion(ctx, secret, Number(key.slice(37)));
    }
    case 'Folder':
      return findFolder(ctx, region, parseFolderPath(key, ['id']));
    case 'KmsKey':
      return readableKmsKey(ctx, region, key);
    case 'Policy':
      return readablePolicy(ctx, region, key);
    case 'AuditEvent':
      return readableAuditEvent(ctx, region, key);
  }
}

async function readableSecret(ctx: RequestContext, region: Region, id: string): Promise<Secret | null> {
  const row = await findSecretById(runIn(region.db.client), ctx.principal, id);
  const gone = row?.purgeAt && row.purgeAt <= ctx.now();
  const deciding = await decidingIn(ctx, region);
  return row && !gone && may(deciding, 'SECRET_READ', secretAt(row.path)) ? { ...row, region } : null;
}
