import type { Effect } from './access-policy.ts';
import type { Permission } from './permission.ts';

/** What a decision is about. The audit log has no name of its own: ''. */
export interface Resource {
  readonly kind: 'secret' | 'kms-key' | 'policy' | 'audit';
  readonly name: string;
}

export interface Statement {
  readonly name: string;
  readonly effect: Effect;
  readonly permissions: readonly Permission[];
  /** Patterns such as `secret:/app/**`: see `matchesPattern`. */
  readonly resources: readonly string[];
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
