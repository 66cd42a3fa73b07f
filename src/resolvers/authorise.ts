import { AccessDeniedError, NotFoundError } from '../errors.ts';
import { type AccessPolicy, evaluateAccessPolicy } from '../policy/access-policy.ts';
import { type Decision, decide, type Facts } from '../policy/decide.ts';
import type { Permission } from '../policy/permission.ts';
import type { Resource } from '../policy/policy.ts';
import type { EventDraft } from './event-draft.ts';
import type { Operation } from './operate.ts';
import type { RequestContext } from './request-context.ts';

export function secretAt(path: string): Resource {
  return { kind: 'secret', name: path };
}

export function kmsKeyOf(identity: string): Resource {
  return { kind: 'kms-key', name: identity };
}

export function decisionOn(ctx: RequestContext, permission: Permission, resource: Resource): Decision {
  return decide(ctx.principal, permission, resource, factsOf(ctx));
}

/** What decisions on this request rest on. */
export function factsOf({ policies, clientAddress, now }: RequestContext): Facts {
  return { policies, clientAddress, at: now() };
}

export function may(ctx: RequestContext, permission: Permission, resource: Resource): boolean {
  return decisionOn(ctx, permission, resource).allowed;
}

type Authorising = Pick<Operation, 'ctx' | 'event'>;

/** Throws unless the caller has the right on the path: as if nothing were there, if it may not read the metadata. */
export function requireOnSecret({ ctx, event }: Authorising, permission: Permission, path: string): void {
  const decision = decisionOn(ctx, permission, secretAt(path));
  if (!decision.allowed) throw event.deny(permission, decision.reason, refusal(ctx, permission, { path }));
}

/** Throws unless the caller may have the secret's KMS key used. */
export function requireKeyUse(
  { ctx, event }: Authorising,
  secret: { readonly path: string; readonly kmsKeyIdentity: string; readonly deletedAt?: Date | null },
): void {
  const decision = decisionOn(ctx, 'KMS_KEY_USE', kmsKeyOf(secret.kmsKeyIdentity));
  if (!decision.allowed) {
    throw event.deny('KMS_KEY_USE', decision.reason, refusal(ctx, 'KMS_KEY_USE', secret));
  }
}

/** Throws unless the secret's own access policy lets this request pass now. */
export function requireAccessPolicy(
  { ctx, event, at }: Authorising & Pick<Operation, 'at'>,
  permission: Permission,
  secret: {
    readonly path: string;
    readonly accessPolicy: AccessPolicy | null;
    readonly deletedAt: Date | null;
  },
): void {
  const { allowed, failedConditions } = evaluateAccessPolicy(secret.accessPolicy, {
    clientAddress: ctx.clientAddress,
    at,
  });
  if (allowed) return;
  event.details['conditions'] = failedConditions.join(', ');
  const told = refusal(ctx, permission, secret, "The secret's access policy refuses this request.");
  throw event.deny(permission, 'DENIED_BY_ACCESS_POLICY', told);
}

/** Throws unless the caller has the right on the KMS key: as if it were not there, if it may not read it. */
export function requireOnKmsKey(
  { ctx, event }: { readonly ctx: RequestContext; readonly event: EventDraft },
  permission: Permission,
  identity: string,
): void {
  const decision = decisionOn(ctx, permission, kmsKeyOf(identity));
  if (decision.allowed) return;
  const seen = may(ctx, 'KMS_KEY_READ', kmsKeyOf(identity));
  throw event.deny(
    permission,
    decision.reason,
    seen ? new AccessDeniedError(permission) : new NotFoundError('kmsKey'),
  );
}

/** What is told of a refusal: just what is told of an absence, where the caller may not read the metadata. */
function refusal(
  ctx: RequestContext,
  permission: Permission,
  secret: { readonly path: string; readonly deletedAt?: Date | null },
  message?: string,
) {
  if (may(ctx, 'SECRET_READ', secretAt(secret.path))) return new AccessDeniedError(permission, message);
  return new NotFoundError(secret.deletedAt ? 'deletedSecret' : 'secret');
}
