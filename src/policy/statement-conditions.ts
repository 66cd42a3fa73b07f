import { isDeepStrictEqual } from 'node:util';

import type { FieldPath } from '../errors.ts';
import { compileConditions, conditionsOf, failuresOf, rulesPass } from './conditions/access-policy.ts';
import type { ConditionRules, Effect } from './conditions/access-policy.ts';
import type { IpAddress } from './conditions/ip-address.ts';
import { JSON_POINTER, resolvePointer } from './json-pointer.ts';
import type { ClaimCondition, StatementConditions } from './policy.ts';

/** What conditions are decided on. null: unknown. */
export interface ConditionFacts {
  readonly address: IpAddress | null;
  readonly at: Date;
  readonly claims: Readonly<Record<string, unknown>> | null;
}

/**
 * The conditions of a statement of one effect, ready to be decided. In doubt the statement refuses: where the address or
 * the claims are unknown, or this release does not read the conditions, an ALLOW does not hold and a DENY does.
 */
export interface CompiledConditions {
  readonly hold: (facts: ConditionFacts) => boolean;
  /** Why they do not hold, by the position of each condition; no values. */
  readonly failures: (facts: ConditionFacts) => readonly string[];
}

/** The stored conditions; those that cannot be read as exactly what is stored are in doubt. */
export function compileStatementConditions(
  conditions: StatementConditions,
  effect: Effect,
): CompiledConditions {
  const inDoubt = effect === 'DENY';
  const rules = readStored(conditions);
  if (rules === null) {
    return { hold: () => inDoubt, failures: () => (inDoubt ? [] : ['conditions unreadable']) };
  }
  const { ip, time } = rules;
  const { claims } = conditions;
  const isUnknown = ({ address }: ConditionFacts) => ip.length > 0 && address === null;
  return {
    hold: (facts) =>
      rulesPass(time, facts.at) &&
      (isUnknown(facts) ? inDoubt : rulesPass(ip, facts.address)) &&
      (facts.claims === null
        ? inDoubt || claims.length === 0
        : claims.every((claim) => claimHolds(claim, facts.claims))),
    failures: (facts) => [
      ...(isUnknown(facts)
        ? inDoubt
          ? []
          : ['ip: the client address is unknown']
        : failuresOf('ip', ip, facts.address)),
      ...failuresOf('time', time, facts.at),
      ...claims.flatMap((claim, index) => {
        if (facts.claims === null) return inDoubt ? [] : [`claims[${index}] unknown`];
        return claimHolds(claim, facts.claims) ? [] : [`claims[${index}] does not hold`];
      }),
    ],
  };
}

/** Whether the claim is the string, or a list with the string in it, exactly. Nothing is a pattern. */
function claimHolds({ pointer, value }: ClaimCondition, claims: unknown): boolean {
  const claim = resolvePointer(pointer, claims);
  return Array.isArray(claim) ? claim.includes(value) : claim === value;
}

function readStored(conditions: StatementConditions): ConditionRules | null {
  const field: FieldPath = [];
  try {
    const rules = compileConditions(conditions, field, 'A statement');
    const { claims } = conditions;
    const isRead = isDeepStrictEqual({ ...conditionsOf(rules), claims }, { ...conditions });
    return isRead && claims.every(isClaimCondition) ? rules : null;
  } catch {
    // Also a TypeError: what is stored need not have the shape that its type promises.
    return null;
  }
}

function isClaimCondition({ pointer, value, ...more }: ClaimCondition): boolean {
  return (
    JSON_POINTER.test(pointer) &&
    pointer !== '' &&
    typeof value === 'string' &&
    Object.keys(more).length === 0
  );
}
