import type { Permission } from './permission.ts';
import { matchesSegments, type Pattern, splitPattern } from './pattern.ts';
import type { Policy, PolicySubject, Resource, Statement } from './policy.ts';
import type { Principal } from './principal.ts';
import { type CompiledConditions, compileStatementConditions } from './statement-conditions.ts';

/** Whom a statement may bind. */
export type Bindable = Pick<Principal, 'subject' | 'issuer' | 'roles'>;

/** A statement as decisions name it. */
export interface MatchedStatement {
  readonly policy: string;
  readonly statement: Statement;
}

/** A statement ready to be decided. */
export interface CompiledStatement {
  /** Made once: decisions hand it on. */
  readonly matched: MatchedStatement;
  readonly patterns: readonly Pattern[];
  /** A pattern that this release does not read: an ALLOW names nothing by it, a DENY everything. */
  readonly unreadable: boolean;
  readonly conditions: CompiledConditions | null;
}

/** The statements about one permission that bind a principal. */
export interface StatementsByEffect {
  readonly DENY: readonly CompiledStatement[];
  readonly ALLOW: readonly CompiledStatement[];
}
export type BoundStatements = ReadonlyMap<Permission, StatementsByEffect>;

const MAX_BINDINGS = 1_000;

/** Policies with what was made of them: once a list of policies, and once each set of them that binds somebody. */
class CompiledPolicies {
  readonly #policies: readonly Policy[];
  readonly #statements: (readonly CompiledStatement[] | undefined)[] = [];
  /** Which policies name a role or a subject, whatever the issuer. */
  readonly #byValue: Readonly<Record<PolicySubject['kind'], Map<string, number[]>>>;
  readonly #byPrincipal = new WeakMap<object, BoundStatements>();
  readonly #byPolicies = new Map<string, BoundStatements>();

  constructor(policies: readonly Policy[]) {
    this.#policies = policies;
    this.#byValue = { ROLE: new Map(), SUBJECT: new Map() };
    for (const [index, { subjects }] of policies.entries()) {
      for (const { kind, value } of subjects) {
        const named = this.#byValue[kind].get(value);
        if (!named) this.#byValue[kind].set(value, [index]);
        else if (named.at(-1) !== index) named.push(index);
      }
    }
  }

  statementsOf(principal: Bindable): BoundStatements {
    const known = this.#byPrincipal.get(principal);
    if (known) return known;
    const bound = this.#bindingPolicies(principal);
    const key = bound.join();
    let made = this.#byPolicies.get(key);
    if (!made) {
      made = this.#byPermission(bound);
      const [oldest] = this.#byPolicies.keys();
      if (oldest !== undefined && this.#byPolicies.size >= MAX_BINDINGS) this.#byPolicies.delete(oldest);
      this.#byPolicies.set(key, made);
    }
    this.#byPrincipal.set(principal, made);
    return made;
  }

  #bindingPolicies(principal: Bindable): readonly number[] {
    const candidates = new Set(this.#byValue.SUBJECT.get(principal.subject));
    for (const role of principal.roles) {
      for (const index of this.#byValue.ROLE.get(role) ?? []) candidates.add(index);
    }
    const binds = (index: number) =>
      this.#policies[index]?.subjects.some((subject) => isBound(subject, principal));
    return [...candidates].filter(binds).sort((a, b) => a - b);
  }

  #byPermission(bound: readonly number[]): BoundStatements {
    const made = new Map<Permission, { DENY: CompiledStatement[]; ALLOW: CompiledStatement[] }>();
    for (const compiled of bound.flatMap((index) => this.#compiled(index))) {
      const { permissions, effect } = compiled.matched.statement;
      for (const permission of new Set(permissions)) {
        const statements = made.get(permission) ?? { DENY: [], ALLOW: [] };
        statements[effect].push(compiled);
        made.set(permission, statements);
      }
    }
    return made;
  }

  #compiled(index: number): readonly CompiledStatement[] {
    const policy = this.#policies[index];
    const known = this.#statements[index];
    if (known || !policy) return known ?? [];
    return (this.#statements[index] = policy.statements.map((statement) => compile(policy.name, statement)));
  }
}

const compiledOf = new WeakMap<readonly Policy[], CompiledPolicies>();

/** The statements that bind a principal, by permission. Made once for as long as the list of policies lives. */
export function boundStatements(policies: readonly Policy[], principal: Bindable): BoundStatements {
  const compiled = compiledOf.get(policies) ?? new CompiledPolicies(policies);
  compiledOf.set(policies, compiled);
  return compiled.statementsOf(principal);
}

/** Whether the statement names the resource; `segments` are those of its name. */
export function names(
  { patterns, unreadable, matched }: CompiledStatement,
  resource: Resource,
  segments: readonly string[],
): boolean {
  for (const pattern of patterns) {
    if (pattern.kind === resource.kind && matchesSegments(pattern, segments)) return true;
  }
  return unreadable && matched.statement.effect === 'DENY';
}

function compile(policy: string, statement: Statement): CompiledStatement {
  const patterns = statement.resources.map(readPattern);
  return {
    matched: { policy, statement },
    patterns: patterns.filter((pattern) => pattern !== null),
    unreadable: patterns.includes(null),
    conditions:
      statement.conditions === null
        ? null
        : compileStatementConditions(statement.conditions, statement.effect),
  };
}

function readPattern(text: string): Pattern | null {
  // The audit log has no name: nothing but this names it.
  return text.startsWith('audit:') && text !== 'audit:*' ? null : splitPattern(text);
}

export function isBound(subject: PolicySubject, principal: Bindable): boolean {
  if (subject.issuer !== null && subject.issuer !== principal.issuer) return false;
  return subject.kind === 'ROLE'
    ? principal.roles.includes(subject.value)
    : principal.subject === subject.value;
}
