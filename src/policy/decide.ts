import {
  type ApplicableStatements,
  applicableStatements,
  LazyConditionFacts,
} from './applicable-statements.ts';
import {
  boundStatements,
  type CompiledStatement,
  type MatchedStatement,
  names,
  type StatementsByEffect,
} from './compiled-policies.ts';
import type { Asking, Facts } from './facts.ts';
import type { Permission } from './permission.ts';
import type { Resource } from './policy.ts';

export type { MatchedStatement } from './compiled-policies.ts';

export type DecisionReason = 'ALLOWED_BY_STATEMENT' | 'DENIED_BY_STATEMENT' | 'NO_STATEMENT_ALLOWS';

export interface Decision {
  readonly allowed: boolean;
  readonly reason: DecisionReason;
  readonly matched: readonly MatchedStatement[];
}

/**
 * Pure: DENY overrides, nothing is allowed by default, and the statements that decided are named. A statement counts when
 * it binds the principal, has the permission, names the resource, and its conditions hold.
 */
export function decide(
  principal: Asking,
  permission: Permission,
  resource: Resource,
  facts: Facts,
): Decision {
  const statements = applicableStatements(principal, permission, facts);
  if (!statements) return NOTHING_ALLOWS;
  const { DENY, ALLOW, counts } = statements;
  const segments = resource.name.split('/');
  const denied = matching(DENY, resource, segments, counts);
  if (denied.length > 0) return { allowed: false, reason: 'DENIED_BY_STATEMENT', matched: denied };
  const allowed = matching(ALLOW, resource, segments, counts);
  if (allowed.length > 0) return { allowed: true, reason: 'ALLOWED_BY_STATEMENT', matched: allowed };
  return NOTHING_ALLOWS;
}

const NONE: readonly never[] = [];
const NOTHING_ALLOWS: Decision = { allowed: false, reason: 'NO_STATEMENT_ALLOWS', matched: NONE };

function matching(
  statements: readonly CompiledStatement[],
  resource: Resource,
  segments: readonly string[],
  counts: ApplicableStatements['counts'],
): readonly MatchedStatement[] {
  let found: MatchedStatement[] | null = null;
  for (const statement of statements) {
    if (!names(statement, resource, segments) || !counts(statement)) continue;
    (found ??= []).push(statement.matched);
  }
  return found ?? NONE;
}

/**
 * The conditions that keep statements from counting which otherwise would: each with its policy, its statement and its
 * position, and no values.
 */
export function failedConditions(
  principal: Asking,
  permission: Permission,
  resource: Resource,
  facts: Facts,
): readonly string[] {
  const segments = resource.name.split('/');
  const conditionFacts = new LazyConditionFacts(principal, facts);
  const statements: StatementsByEffect | undefined = boundStatements(facts.policies, principal).get(
    permission,
  );
  return [...(statements?.DENY ?? []), ...(statements?.ALLOW ?? [])]
    .filter((statement) => names(statement, resource, segments))
    .flatMap(({ matched: { policy, statement }, conditions }) =>
      (conditions?.failures(conditionFacts) ?? []).map(
        (failure) => `policy ${policy}, statement ${statement.name} (${statement.effect}): ${failure}`,
      ),
    );
}
