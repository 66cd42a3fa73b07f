import { isDeepStrictEqual } from 'node:util';

import { RequestError } from '../errors.ts';
import { decide } from './decide.ts';
import type { Asking, Facts } from './facts.ts';
import { boundStatements } from './compiled-policies.ts';
import { contains, overlaps, type Pattern, splitPattern } from './pattern.ts';
import { type Permission, resourceKindOf } from './permission.ts';
import type { Policy, PolicySubject, Statement } from './policy.ts';

/** What a change of a policy gives that its author does not hold. Positions count from 0. */
export interface Excess {
  readonly permission: Permission;
  readonly message: string;
}

/** What a policy says and whom it binds; nothing of it before it is made or after it is deleted. */
export type PolicyContent = Pick<Policy, 'statements' | 'subjects'>;
export const NO_CONTENT: PolicyContent = { statements: [], subjects: [] };

/**
 * The first thing that a change would give and its author does not hold, or null. Every ALLOW of the new policy must lie
 * within one unconditional ALLOW of the author, with no DENY of the author's overlapping it; so must every DENY of the old
 * policy that the new one does not keep. Conditions of a DENY of the author's do not matter: it may come to hold.
 */
export function excessOf(
  author: Asking,
  policies: readonly Policy[],
  before: PolicyContent,
  after: PolicyContent,
): Excess | null {
  const holds = holdingsOf(author, policies);
  for (const [index, statement] of after.statements.entries()) {
    if (statement.effect === 'DENY') continue;
    for (const [permission, position] of pairs(statement)) {
      if (holds(permission, statement.resources[position] ?? '')) continue;
      const message = `Statement ${index} allows ${permission} on its resource ${position}, which you do not hold without condition.`;
      return { permission, message };
    }
  }
  // A DENY that binds nobody is none.
  for (const [index, statement] of before.subjects.length > 0 ? before.statements.entries() : []) {
    if (statement.effect === 'ALLOW') continue;
    for (const [permission, position] of pairs(statement)) {
      const pattern = statement.resources[position] ?? '';
      if (isKept(statement, permission, pattern, before, after) || holds(permission, pattern)) continue;
      const message = `This takes away a DENY of ${permission} (statement ${index}, resource ${position} as it stands), and you do not hold that right there without condition.`;
      return { permission, message };
    }
  }
  return null;
}

/** Every right of the policy is compared with every pattern that binds its author: a second or so, during which nothing else runs. */
const MAX_COMPARED = 5_000_000;
const TOO_MANY =
  'The policy has too many rights to compare with the patterns of the policies that bind you: split it.';

/** The permissions of a statement with the positions of the resources that they are about. */
function* pairs({ permissions, resources }: Statement): Generator<readonly [Permission, number]> {
  for (const permission of permissions) {
    const prefix = `${resourceKindOf(permission)}:`;
    for (const [position, text] of resources.entries()) {
      if (text.startsWith(prefix)) yield [permission, position];
    }
  }
}

function holdingsOf(author: Asking, policies: readonly Policy[]) {
  const statements = boundStatements(policies, author);
  const known = new Map<string, boolean>();
  let compared = 0;
  return (permission: Permission, text: string): boolean => {
    const key = `${permission} ${text}`;
    const answer = known.get(key);
    if (answer !== undefined) return answer;
    const pattern = splitPattern(text);
    const { ALLOW = [], DENY = [] } = statements.get(permission) ?? {};
    for (const { patterns } of [...ALLOW, ...DENY]) compared += patterns.length;
    if (compared > MAX_COMPARED) throw new RequestError('QUERY_TOO_COMPLEX', TOO_MANY);
    const covers = (own: Pattern) => pattern !== null && contains(own, pattern);
    const meets = (own: Pattern) => pattern === null || overlaps(own, pattern);
    const held =
      ALLOW.some(({ conditions, patterns }) => conditions === null && patterns.some(covers)) &&
      !DENY.some(({ patterns, unreadable }) => unreadable || patterns.some(meets));
    known.set(key, held);
    return held;
  };
}

/** Whether the new policy denies at least what this pair of the old one denied, to all whom that bound. */
function isKept(
  old: Statement,
  permission: Permission,
  text: string,
  before: PolicyContent,
  after: PolicyContent,
): boolean {
  const isBoundStill = (subject: PolicySubject) => after.subjects.some((other) => includes(other, subject));
  if (!before.subjects.every(isBoundStill)) return false;
  const pattern = splitPattern(text);
  return after.statements.some(
    ({ effect, permissions, resources, conditions }) =>
      effect === 'DENY' &&
      permissions.includes(permission) &&
      (conditions === null || isDeepStrictEqual(conditions, old.conditions)) &&
      resources.some((resource) => {
        const wider = splitPattern(resource);
        return pattern !== null && wider !== null && contains(wider, pattern);
      }),
  );
}

/** Whether everybody whom `subject` names is named by `other`. */
function includes(other: PolicySubject, subject: PolicySubject): boolean {
  const isSame = other.kind === subject.kind && other.value === subject.value;
  return isSame && (other.issuer === null || other.issuer === subject.issuer);
}

/** Whether the principal may write some policy, on these facts. */
export function mayWriteAPolicy(principal: Asking, facts: Facts): boolean {
  const { ALLOW = [] } = boundStatements(facts.policies, principal).get('POLICY_WRITE') ?? {};
  const named = ALLOW.flatMap(({ matched }) => matched.statement.resources)
    .filter((text) => text.startsWith('policy:'))
    .map((text) => text.slice('policy:'.length));
  // A name that no pattern but one for all policies names stands for every name that is not written out anywhere.
  return [...new Set([...named, '*'])].some(
    (name) => decide(principal, 'POLICY_WRITE', { kind: 'policy', name }, facts).allowed,
  );
}
