import { record } from '../../audit/record.ts';
import { findSecretsByKey } from '../../db/secret-row.ts';
import { runIn } from '../../db/statements.ts';
import { AccessDeniedError, InvalidInputError, RequestError } from '../../errors.ts';
import { evaluateAccessPolicy } from '../../policy/conditions/access-policy.ts';
import { parseIpAddress } from '../../policy/conditions/ip-address.ts';
import { decide, type Decision, failedConditions } from '../../policy/decide.ts';
import type { Asking, Facts } from '../../policy/facts.ts';
import { type Permission, resourceKindOf } from '../../policy/permission.ts';
import type { Resource } from '../../policy/policy.ts';
import { pathKey } from '../../policy/secret-path.ts';
import type { Region, RequestContext } from '../context/request-context.ts';
import { parseDateTime } from '../input/parse-date-time.ts';
import { parseResource } from '../input/parse-resource.ts';
import { regionOf } from '../input/region-of.ts';
import { requireCleanText } from '../input/require-clean-text.ts';
import { type Deciding, decidingIn, may, policyOf } from '../operation/authorise.ts';
import { EventDraft } from '../operation/event-draft.ts';
import { auditActor } from '../operation/audit-actor.ts';
import { findKmsKey } from '../rows/usable-key.ts';

export interface ExplainAccessInput {
  readonly permission: Permission;
  readonly resource: string;
  readonly region?: string | null;
  readonly subject?: string | null;
  readonly issuer?: string | null;
  readonly roles?: readonly string[] | null;
  readonly ip?: string | null;
  readonly at?: string | null;
}

export interface AccessDecision extends Pick<Decision, 'allowed' | 'matched'> {
  readonly reason: Decision['reason'] | 'DENIED_BY_ACCESS_POLICY' | 'OUT_OF_SCOPE';
  readonly failedConditions: readonly string[];
}

const MAX_ROLES = 100;
const MAX_NAME_CHARACTERS = 255;

/**
 * What would be decided, and why: for the caller, or for somebody else where the caller may read all policies. Nothing is
 * looked for that the caller may not read, so that the answer is the same whether it exists.
 */
export async function explainAccess(ctx: RequestContext, input: ExplainAccessInput): Promise<AccessDecision> {
  const region = regionOf(ctx, input.region, ['input', 'region']);
  const { permission } = input;
  const resource = parseResource(input.resource, ['input', 'resource']);
  if (resource.kind !== resourceKindOf(permission)) {
    throw new InvalidInputError(['input', 'resource'], `${permission} is about another kind of resource.`);
  }
  const asked = parseAsked(ctx, input);
  const overrides = parseOverrides(input);
  const deciding = await decidingIn(ctx, region);
  if (asked !== ctx.principal) await requireReadAll(deciding, region);
  const facts = { ...deciding.facts, ...overrides };
  const decision = decide(asked, permission, resource, facts);
  const failed = failedConditions(asked, permission, resource, facts);
  if (await isOutOfScope(deciding, region, permission, resource)) {
    return { allowed: false, reason: 'OUT_OF_SCOPE', matched: [], failedConditions: [] };
  }
  const gate = await accessPolicyFailures(deciding, region, permission, resource, facts);
  if (!decision.allowed || gate.length === 0) return { ...decision, failedConditions: [...failed, ...gate] };
  const { matched } = decision;
  return {
    allowed: false,
    reason: 'DENIED_BY_ACCESS_POLICY',
    matched,
    failedConditions: [...failed, ...gate],
  };
}

/** The caller itself, or who is described; the claims of the latter are not known. */
function parseAsked({ principal }: RequestContext, input: ExplainAccessInput): Asking {
  const { subject = null, issuer = null, roles = null } = input;
  if (subject === null && issuer === null && roles === null) return principal;
  for (const [name, text] of Object.entries({ subject, issuer })) {
    if (text === null) {
      if (subject === null && issuer === null) continue;
      throw new InvalidInputError(['input', name], 'A subject is one of an issuer: give both, or none.');
    }
    requireName(text, ['input', name]);
  }
  if (roles && roles.length > MAX_ROLES) {
    throw new InvalidInputError(['input', 'roles'], `There are at most ${MAX_ROLES} roles.`);
  }
  roles?.forEach((role, index) => requireName(role, ['input', 'roles', String(index)]));
  const isCaller = subject === principal.subject && issuer === principal.issuer;
  if (isCaller && roles === null) return principal;
  return {
    subject: subject ?? principal.subject,
    issuer: issuer ?? principal.issuer,
    roles: roles ?? [],
    claims: null,
  };
}

function requireName(text: string, field: readonly string[]): void {
  requireCleanText(text, field, 'line');
  if (text.length >= 1 && text.length <= MAX_NAME_CHARACTERS) return;
  throw new InvalidInputError(field, `There are 1 to ${MAX_NAME_CHARACTERS} characters.`);
}

function parseOverrides({ ip, at }: ExplainAccessInput): Partial<Facts> {
  if (ip != null && parseIpAddress(ip) === null) {
    const rule = 'An address is IPv4 in dotted decimal or IPv6, without zone, port or prefix length.';
    throw new InvalidInputError(['input', 'ip'], rule);
  }
  return {
    ...(ip != null && { clientAddress: ip }),
    ...(at != null && { at: parseDateTime(at, ['input', 'at']) }),
  };
}

/** Throws, with an event, unless the caller may read each policy that holds here, and any that there might be. */
async function requireReadAll(deciding: Deciding, region: Region): Promise<void> {
  const { ctx, facts } = deciding;
  const names = ['*', ...facts.policies.map(({ name }) => name)];
  if (names.every((name) => may(deciding, 'POLICY_READ', policyOf(name)))) return;
  const event = new EventDraft('auth.denied', 'policy', '*');
  event.details['field'] = 'explainAccess';
  const told = event.deny('POLICY_READ', 'NOT_ALL_POLICIES', new AccessDeniedError('POLICY_READ'));
  await region.db.transaction((tx) =>
    record(tx, region.name, auditActor(ctx), ctx.now(), [event.failed(told)]),
  );
  throw new RequestError('FORBIDDEN', 'To explain the access of others needs POLICY_READ on all policies.');
}

/** A KMS key serves its own scope only: one that the caller may read and that is not here cannot be used from here. */
async function isOutOfScope(
  deciding: Deciding,
  region: Region,
  permission: Permission,
  resource: Resource,
): Promise<boolean> {
  const isOneKey = resource.kind === 'kms-key' && resource.name !== '*' && permission !== 'KMS_KEY_CREATE';
  if (!isOneKey || !may(deciding, 'KMS_KEY_READ', resource)) return false;
  return (await findKmsKey(region.db.client, deciding.ctx.principal, resource.name)) === null;
}

/** What keeps the secret's own access policy from letting the request pass; told to those who may read the secret. */
async function accessPolicyFailures(
  deciding: Deciding,
  region: Region,
  permission: Permission,
  resource: Resource,
  facts: Facts,
): Promise<readonly string[]> {
  const isGated = permission === 'SECRET_GET_VALUE' || permission === 'SECRET_PUT_VALUE';
  if (!isGated || !may(deciding, 'SECRET_READ', resource)) return [];
  const { principal } = deciding.ctx;
  const [secret] = await findSecretsByKey(runIn(region.db.client), principal, [pathKey(resource.name)]);
  const failures = evaluateAccessPolicy(secret?.accessPolicy ?? null, facts).failedConditions;
  return failures.map((failure) => `access policy: ${failure}`);
}
