import type { Effect, IpCondition, TimeCondition } from './conditions/access-policy.ts';
import type { Permission } from './permission.ts';

/** What a decision is about. The audit log has no name of its own: ''. */
export interface Resource {
  readonly kind: 'secret' | 'kms-key' | 'policy' | 'audit';
  readonly name: string;
}

/** A claim of the token, by JSON Pointer (RFC 6901), that must equal a string or hold it as a list element, exactly. */
export interface ClaimCondition {
  readonly pointer: string;
  readonly value: string;
}

/** When a statement counts. Of ip and time the semantics of `AccessPolicy`; claims must all hold. */
export interface StatementConditions {
  readonly ip: readonly IpCondition[];
  readonly time: readonly TimeCondition[];
  readonly claims: readonly ClaimCondition[];
}

export interface Statement {
  readonly name: string;
  readonly effect: Effect;
  readonly permissions: readonly Permission[];
  /** Patterns such as `secret:/app/**`: see `matchesPattern`. */
  readonly resources: readonly string[];
  /** null: always. */
  readonly conditions: StatementConditions | null;
}

/** A role from the token, or an identity; a role with an issuer counts only from that one. */
export interface PolicySubject {
  readonly kind: 'ROLE' | 'SUBJECT';
  readonly value: string;
  readonly issuer: string | null;
}

/** A named list of statements and whom they bind. */
export interface Policy {
  readonly name: string;
  readonly builtIn: boolean;
  readonly statements: readonly Statement[];
  readonly subjects: readonly PolicySubject[];
}
