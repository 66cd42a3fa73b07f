import { AccessDeniedError, InvalidInputError, NotFoundError } from '../../errors.ts';
import { isBuiltInName, POLICY_NAME } from '../../policy/policy-name.ts';
import type { RequestContext } from '../context/request-context.ts';
import { parseExpected } from '../input/parse-version-number.ts';
import { regionOf } from '../input/region-of.ts';
import { decisionOn, may, policyOf } from '../operation/authorise.ts';
import { EventDraft } from '../operation/event-draft.ts';
import { operate } from '../operation/operate.ts';
import type { Operation } from '../operation/operation.ts';
import { announcePolicyChange, beginPolicyChange, requireGrantable } from './policy-change.ts';
import { requireExpected } from './put-policy.ts';

export interface DeletePolicyInput {
  readonly name: string;
  readonly region?: string | null;
  readonly expectedObjectVersion?: number | null;
}

export interface DeletePolicyPayload {
  readonly name: string;
}

/** Deletes a policy of the caller's scope. What it denied must be the author's to give. */
export async function deletePolicy(
  ctx: RequestContext,
  input: DeletePolicyInput,
): Promise<DeletePolicyPayload> {
  const region = regionOf(ctx, input.region, ['input', 'region']);
  const { name } = input;
  const field = ['input', 'name'];
  if (!POLICY_NAME.test(name)) throw new InvalidInputError(field, 'This is not the name of a policy.');
  if (isBuiltInName(name)) throw new InvalidInputError(field, 'A built-in policy cannot be changed.');
  const expected = parseExpected(input.expectedObjectVersion, ['input', 'expectedObjectVersion']);
  const draft = () => new EventDraft('policy.delete', 'policy', name);
  const done = { written: false };
  try {
    return await operate(ctx, region, draft, async (begun) => {
      const change = await beginPolicyChange(begun, name);
      const { operation, existing } = change;
      if (!existing) throw new NotFoundError('policy');
      operation.event.resourceId = existing.id;
      requireOnPolicy(operation, name);
      requireExpected(existing, expected);
      requireGrantable(change, null, field);
      operation.event.details['objectVersion'] = String(existing.objectVersion);
      const { organisation, id } = existing;
      done.written = true;
      await operation.tx.policy.delete({ where: { organisation_id: { organisation, id } } });
      await announcePolicyChange(operation);
      return { name };
    });
  } finally {
    if (done.written) region.policies.forget(ctx.principal.organisation);
  }
}

/** Throws unless the caller may write the policy: as if it were not there, if it may not read it. */
function requireOnPolicy(operation: Operation, name: string): void {
  const decision = decisionOn(operation, 'POLICY_WRITE', policyOf(name));
  if (decision.allowed) return;
  const told = may(operation, 'POLICY_READ', policyOf(name))
    ? new AccessDeniedError('POLICY_WRITE')
    : new NotFoundError('policy');
  throw operation.event.deny('POLICY_WRITE', decision.reason, told);
}
