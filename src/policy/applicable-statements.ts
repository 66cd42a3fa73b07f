import { boundStatements, type CompiledStatement } from './compiled-policies.ts';
import { parseIpAddress } from './conditions/ip-address.ts';
import type { Asking, Facts } from './facts.ts';
import type { Permission } from './permission.ts';
import type { ConditionFacts } from './statement-conditions.ts';

/** The statements about one permission that bind somebody, whatever the resource. */
export interface ApplicableStatements {
  readonly DENY: readonly CompiledStatement[];
  readonly ALLOW: readonly CompiledStatement[];
  /** Whether the statement's conditions hold. */
  readonly counts: (statement: CompiledStatement) => boolean;
}

/**
 * What says anything of this permission for this principal; null for nothing. Decisions and the filters of lists both begin
 * here, so that they cannot differ in whom a policy binds and when it counts.
 */
export function applicableStatements(
  principal: Asking,
  permission: Permission,
  facts: Facts,
): ApplicableStatements | null {
  const statements = boundStatements(facts.policies, principal).get(permission);
  if (!statements) return null;
  const conditionFacts = new LazyConditionFacts(principal, facts);
  const { DENY, ALLOW } = statements;
  return { DENY, ALLOW, counts: ({ conditions }) => conditions?.hold(conditionFacts) !== false };
}

/** The address is read only when a condition asks for it. */
export class LazyConditionFacts implements ConditionFacts {
  readonly at: Date;
  readonly claims: ConditionFacts['claims'];
  readonly #text: string | null;
  #address: ConditionFacts['address'] | undefined;

  constructor({ claims }: Asking, { at, clientAddress }: Facts) {
    this.at = at;
    this.claims = claims;
    this.#text = clientAddress;
  }

  get address(): ConditionFacts['address'] {
    return (this.#address ??= this.#text === null ? null : parseIpAddress(this.#text));
  }
}
