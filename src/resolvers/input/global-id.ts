import { type FieldPath, InvalidInputError } from '../../errors.ts';
import { isBuiltInName } from '../../policy/policy-name.ts';
import type { Region, RequestContext } from '../context/request-context.ts';

export const NODE_TYPES = ['Secret', 'SecretVersion', 'Folder', 'KmsKey', 'Policy', 'AuditEvent'] as const;
export type NodeType = (typeof NODE_TYPES)[number];

export interface GlobalId {
  readonly type: NodeType;
  readonly region: Region;
  /** What tells it apart within its type and region; the scope comes from the caller, never from an id. */
  readonly key: string;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export function encodeGlobalId(type: NodeType, region: string, key: string): string {
  return Buffer.from(`${type}:${region}:${key}`).toString('base64url');
}

/** Throws for an id that this service does not make, or that is not of one of the types. */
export function decodeGlobalId(
  ctx: RequestContext,
  id: string,
  field: FieldPath,
  types: readonly NodeType[] = NODE_TYPES,
): GlobalId {
  const text = Buffer.from(id, 'base64url').toString('utf8');
  const [typeName, regionName, ...rest] = text.split(':');
  const type = types.find((candidate) => candidate === typeName);
  const region = ctx.regions.find((candidate) => candidate.name === regionName);
  const key = rest.join(':');
  if (!type || !region || !isKeyOf(type, key) || encodeGlobalId(type, region.name, key) !== id) {
    throw new InvalidInputError(field, `An id is one that this service gave, of a ${types.join(', ')}.`);
  }
  return { type, region, key };
}

function isKeyOf(type: NodeType, key: string): boolean {
  if (type === 'Secret' || type === 'AuditEvent') return UUID.test(key);
  if (type === 'SecretVersion') return UUID.test(key.slice(0, 36)) && /^\/[1-9]\d{0,8}$/.test(key.slice(36));
  if (type === 'Policy') return UUID.test(key) || isBuiltInName(key);
  return key !== '';
}
