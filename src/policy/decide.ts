import { matchesPattern } from './matches-pattern.ts';
import type { Permission } from './permission.ts';
import type { Policy, PolicySubject, Resource, Statement } from './policy.ts';
import type { Principal } from './principal.ts';

export type DecisionReason = 'ALLOWED_BY_STATEMENT' | 'DENIED_BY_STATEMENT' | 'NO_STATEMENT_ALLOWS';

export interface MatchedStatement {
  readonly policy: string;
  readonly statement: Statement;
}

export interface Decision {
  readonly allowed: boolean;
  readonly reason: DecisionReason;
  readonly matched: readonly MatchedStatement[];
}

/** What a decision may rest on besides who asks for what. */
export interface Facts {
  readonly policies: readonly Policy[];
  /** null: unknown. */
  readonly clientAddress: string | null;
  readonly at: Date;
}

/** Pure: DENY overrides, nothing is allowed by default, and the statements that decided are named. */
export function decide(
  principal: Principal,
  permission: Permission,
  resource: Resource,
  facts: Facts,
): Decision {
  const matched = facts.policies
    .filter((policy) => policy.subjects.some((subject) => isBound(subject, principal)))
    .flatMap((policy) => policy.statements.map((statement) => ({ policy: policy.name, statement })))
    .filter(({ statement }) => statement.permissions.includes(permission))
    .filter(({ statement }) => statement.resources.some((pattern) => matchesPattern(pattern, resource)));
  const denied = matched.filter(({ statement }) => statement.effect === 'DENY');
  if (denied.length > 0) return { allowed: false, reason: 'DENIED_BY_STATEMENT', matched: denied };
  if (matched.length > 0) return { allowed: true, reason: 'ALLOWED_BY_STATEMENT', matched };
  return { allowed: false, reason: 'NO_STATEMENT_ALLOWS', matched };
}

function isBound(subject: PolicySubject, principal: Principal): boolean {
  if (subject.issuer !== null && subject.issuer !== principal.issuer) return false;
  return subject.kind === 'ROLE'
    ? principal.roles.includes(subject.value)
    : principal.subject === subject.value;
}
