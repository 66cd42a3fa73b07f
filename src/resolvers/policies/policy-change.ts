import { notify } from '../../db/notifications.ts';
import { findPolicies, lockPolicies, type PolicyRow } from '../../db/policy-row.ts';
import { AccessDeniedError, type FieldPath, InvalidInputError } from '../../errors.ts';
import { BUILT_IN_POLICIES } from '../../policy/built-in-policies.ts';
import { excessOf, mayWriteAPolicy, NO_CONTENT, type PolicyContent } from '../../policy/grants.ts';
import type { Policy } from '../../policy/policy.ts';
import { may, policyOf } from '../operation/authorise.ts';
import type { Operation } from '../operation/operation.ts';
import { policyOfRow } from '../operation/policy-store.ts';

/** What a change of policies is decided on: the policies as they stand, which nobody else changes meanwhile. */
export interface PolicyChange {
  readonly operation: Operation;
  readonly rows: readonly PolicyRow[];
  /** The scope's own policy of this very name. */
  readonly existing: PolicyRow | null;
}

/** Begins a change; who may not make it keeps nobody waiting. */
export async function beginPolicyChange(operation: Operation, name: string): Promise<PolicyChange> {
  const { ctx, tx, run, facts } = operation;
  const { organisation, project } = ctx.principal;
  if (may(operation, 'POLICY_WRITE', policyOf(name))) await lockPolicies(tx, organisation);
  const rows = await findPolicies(run, ctx.principal);
  const policies = [...BUILT_IN_POLICIES, ...rows.map(policyOfRow)];
  const existing = rows.find((row) => row.project === project && row.name === name) ?? null;
  return { operation: { ...operation, facts: { ...facts, policies } }, rows, existing };
}

/** Throws unless the author holds all that the change gives, and may write policies after it. */
export function requireGrantable(
  { operation, rows, existing }: PolicyChange,
  after: Policy | null,
  field: FieldPath,
): void {
  const { ctx, event, facts } = operation;
  const before: PolicyContent = existing ?? NO_CONTENT;
  const excess = excessOf(ctx.principal, facts.policies, before, after ?? NO_CONTENT);
  if (excess) {
    const told = new AccessDeniedError(excess.permission, excess.message);
    throw event.deny(excess.permission, 'GRANTS_MORE_THAN_HELD', told);
  }
  const others = rows.filter((row) => row !== existing).map(policyOfRow);
  const policies = [...BUILT_IN_POLICIES, ...others, ...(after ? [after] : [])];
  if (mayWriteAPolicy(ctx.principal, { ...facts, policies })) return;
  throw new InvalidInputError(field, 'This would take POLICY_WRITE from its author.', 'POLICY_LOCKOUT');
}

/** Tells every gateway, once the change has committed. */
export async function announcePolicyChange({ ctx, tx }: Operation): Promise<void> {
  await notify(tx, 'policies', ctx.principal.organisation);
}
