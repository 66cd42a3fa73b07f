import { AccessDeniedError, NotFoundError } from '../../errors.ts';
import { type AccessPolicy, evaluateAccessPolicy } from '../../policy/conditions/access-policy.ts';
import { type Decision, decide } from '../../policy/decide.ts';
import type { Facts } from '../../policy/facts.ts';
import type { Permission } from '../../policy/permission.ts';
import type { Resource } from '../../policy/policy.ts';
import type { Region, RequestContext } from '../context/request-context.ts';
import type { EventDraft } from './event-draft.ts';
import type { Operation } from './operation.ts';

export function secretAt(path: string): Resource {
  return { kind: 'secret', name: path };
}

export function kmsKeyOf(identity: string): Resource {
  return { kind: 'kms-key', name: identity };
}

export function policyOf(name: string): Resource {
  return { kind: 'policy', name };
}

/** Whoever asks, with what every decision of one operation rests on. An `Operation` is one. */
export interface Deciding {
  readonly ctx: RequestContext;
  readonly facts: Facts;
}

/** What a read decides on: the region's policies as they stand now. */
export async function decidingIn(ctx: RequestContext, region: Region): Promise<Deciding> {
  return { ctx, facts: await factsOf(ctx, region) };
}

/** What decisions on this request rest on in a region. */
export async function factsOf(ctx: RequestContext, region: Region): Promise<Facts> {
  const { policies } = await region.policies.of(ctx.principal);
  return { policies, clientAddress: ctx.clientAddress, at: ctx.now() };
}

export function decisionOn({ ctx, facts }: Deciding, permission: Permission, resource: Resource): Decision {
  return decide(ctx.principal, permission, resource, facts);
}

export function may(deciding: Deciding, permission: Permission, resource: Resource): boolean {
  return decisionOn(deciding, permission, resource).allowed;
}

type Authorising = Deciding & { readonly event: EventDraft };

/** Throws unless the caller has the right on the path: as if nothing were there, if it may not read the metadata. */
export function requireOnSecret(operation: Authorising, permission: Permission, path: string): void {
  const decision = decisionOn(operation, permission, secretAt(path));
  if (decision.allowed) return;
  throw operation.event.deny(permission, decision.reason, refusal(operation, permission, { path }));
}

/** Throws unless the caller may have the secret's KMS key used. */
export function requireKeyUse(
  operation: Authorising,
  secret: { readonly path: string; readonly kmsKeyIdentity: string; readonly deletedAt?: Date | null },
): void {
  const decision = decisionOn(operation, 'KMS_KEY_USE', kmsKeyOf(secret.kmsKeyIdentity));
  if (!decision.allowed) {
    throw operation.event.deny('KMS_KEY_USE', decision.reason, refusal(operation, 'KMS_KEY_USE', secret));
  }
}

/** Throws unless the secret's own access policy lets this request pass now. */
export function requireAccessPolicy(
  operation: Authorising & Pick<Operation, 'at'>,
  permission: Permission,
  secret: {
    readonly path: string;
    readonly accessPolicy: AccessPolicy | null;
    readonly deletedAt: Date | null;
  },
): void {
  const { ctx, event, at } = operation;
  const { allowed, failedConditions } = evaluateAccessPolicy(secret.accessPolicy, {
    clientAddress: ctx.clientAddress,
    at,
  });
  if (allowed) return;
  event.details['conditions'] = failedConditions.join(', ');
  const told = refusal(operation, permission, secret, "The secret's access policy refuses this request.");
  throw event.deny(permission, 'DENIED_BY_ACCESS_POLICY', told);
}

/** Throws unless the caller has the right on the KMS key: as if it were not there, if it may not read it. */
export function requireOnKmsKey(operation: Authorising, permission: Permission, identity: string): void {
  const decision = decisionOn(operation, permission, kmsKeyOf(identity));
  if (decision.allowed) return;
  const seen = may(operation, 'KMS_KEY_READ', kmsKeyOf(identity));
  throw operation.event.deny(
    permission,
    decision.reason,
    seen ? new AccessDeniedError(permission) : new NotFoundError('kmsKey'),
  );
}

/** What is told of a refusal: just what is told of an absence, where the caller may not read the metadata. */
function refusal(
  deciding: Deciding,
  permission: Permission,
  secret: { readonly path: string; readonly deletedAt?: Date | null },
  message?: string,
) {
  if (may(deciding, 'SECRET_READ', secretAt(secret.path))) return new AccessDeniedError(permission, message);
  return new NotFoundError(secret.deletedAt ? 'deletedSecret' : 'secret');
}
