import { type FieldPath, InvalidInputError } from '../errors.ts';
import { compileConditions, conditionsOf, EFFECTS, MAX_CIDRS } from './conditions/access-policy.ts';
import type { AccessPolicyInput } from './conditions/access-policy.ts';
import { JSON_POINTER } from './json-pointer.ts';
import { parsePattern } from './parse-pattern.ts';
import { splitPattern } from './pattern.ts';
import { type Permission, PERMISSION_NAMES, resourceKindOf } from './permission.ts';
import { POLICY_NAME } from './policy-name.ts';
import type { ClaimCondition, PolicySubject, Statement, StatementConditions } from './policy.ts';

export const POLICY_LIMITS = {
  statements: 100,
  subjects: 100,
  resourcesInStatement: 100,
  resources: 1_000,
  /** Each is matched against every row that a list reads. */
  starredResources: 100,
  claimsInStatement: 16,
  pointerCharacters: 128,
  claimCharacters: 256,
  roleCharacters: 128,
  identityCharacters: 255,
} as const;

export interface StatementConditionsInput extends AccessPolicyInput {
  readonly claims?: readonly { readonly key: string; readonly value: string }[] | null;
}

export interface StatementInput extends Omit<Statement, 'conditions'> {
  readonly conditions?: StatementConditionsInput | null;
}

export interface SubjectInput extends Omit<PolicySubject, 'issuer'> {
  readonly issuer?: string | null;
}

/** No control characters and no halves of surrogate pairs: as names come out of a token. */
const CLEAN = /^[^\p{Cc}\p{Cs}]+$/u;

/**
 * What a policy says and whom it binds, in their stored form. Throws InvalidInputError with the path of the offending
 * field and the rule it breaks, never its value.
 */
export function parsePolicy(
  input: { readonly statements: readonly StatementInput[]; readonly subjects: readonly SubjectInput[] },
  field: FieldPath,
): { readonly statements: readonly Statement[]; readonly subjects: readonly PolicySubject[] } {
  const at = [...field, 'statements'];
  requireCount(input.statements, 1, POLICY_LIMITS.statements, at, 'statements');
  const statements = input.statements.map((statement, i) => parseStatement(statement, [...at, String(i)]));
  requireUnique(
    statements.map(({ name }) => name.toLowerCase()),
    (i) => [...at, String(i), 'name'],
    'Every statement of a policy has a name of its own, whatever the case.',
  );
  requireSum(statements, at, POLICY_LIMITS.resources, 'resources', ({ resources }) => resources.length);
  requireSum(
    statements,
    at,
    POLICY_LIMITS.starredResources,
    'resources of secrets with a "*" (a "**" at the end aside)',
    ({ resources }) => resources.filter(isStarred).length,
  );
  requireSum(statements, at, MAX_CIDRS, 'CIDRs', ({ conditions }) =>
    (conditions?.ip ?? []).reduce((sum, { cidrs }) => sum + cidrs.length, 0),
  );
  return { statements, subjects: parseSubjects(input.subjects, statements, [...field, 'subjects']) };
}

function parseStatement(input: StatementInput, field: FieldPath): Statement {
  const { name, effect, permissions, resources } = input;
  if (!POLICY_NAME.test(name)) {
    const rule =
      'The name of a statement is 1 to 128 of A-Z a-z 0-9 _ . : - and begins with a letter or digit.';
    throw new InvalidInputError([...field, 'name'], rule);
  }
  if (!EFFECTS.includes(effect))
    throw new InvalidInputError([...field, 'effect'], 'An effect is ALLOW or DENY.');
  const permissionsAt = [...field, 'permissions'];
  requireCount(permissions, 1, PERMISSION_NAMES.length, permissionsAt, 'permissions');
  requireUnique(permissions, (i) => [...permissionsAt, String(i)], 'Every permission is given once.');
  const resourcesAt = [...field, 'resources'];
  requireCount(resources, 1, POLICY_LIMITS.resourcesInStatement, resourcesAt, 'resources');
  requireUnique(resources, (i) => [...resourcesAt, String(i)], 'Every resource is given once.');
  requireFit(permissions, resources, field);
  const conditions =
    input.conditions == null ? null : parseConditions(input.conditions, [...field, 'conditions']);
  return { name, effect, permissions: [...permissions], resources: [...resources], conditions };
}

/** Whether a list has to match it row by row: a name, or all that lies below one, is a range of keys instead. */
function isStarred(resource: string): boolean {
  const pattern = splitPattern(resource);
  return pattern?.kind === 'secret' && pattern.fixed.some((pieces) => pieces.length > 1);
}

/** A permission without a resource of its kind, or the other way round, could never match: a mistake, and a silent one. */
function requireFit(
  permissions: readonly Permission[],
  resources: readonly string[],
  field: FieldPath,
): void {
  const kinds = resources.map((text, i) => parsePattern(text, [...field, 'resources', String(i)]));
  const wanted = permissions.map(resourceKindOf);
  const idle = wanted.findIndex((kind) => !kinds.includes(kind));
  if (idle >= 0) {
    const rule = `This permission is about a ${wanted[idle] ?? ''}: and the statement has no resource of that kind.`;
    throw new InvalidInputError([...field, 'permissions', String(idle)], rule);
  }
  const unused = kinds.findIndex((kind) => !wanted.includes(kind));
  if (unused >= 0) {
    const rule = 'The statement has no permission that is about this kind of resource.';
    throw new InvalidInputError([...field, 'resources', String(unused)], rule);
  }
}

function parseConditions(input: StatementConditionsInput, field: FieldPath): StatementConditions {
  if (!input.ip?.length && !input.time?.length && !input.claims?.length) {
    throw new InvalidInputError(
      field,
      'Conditions have at least one; a statement without is one that always counts.',
    );
  }
  const rules = compileConditions(input, field, 'A statement');
  const claims = (input.claims ?? []).map(({ key, value }, i): ClaimCondition => {
    const at = [...field, 'claims', String(i)];
    const isPointer = key.startsWith('/') && JSON_POINTER.test(key) && CLEAN.test(key);
    if (!isPointer || key.length > POLICY_LIMITS.pointerCharacters) {
      const rule = `A claim is named by a JSON Pointer (RFC 6901) of at most ${POLICY_LIMITS.pointerCharacters} characters: /repository.`;
      throw new InvalidInputError([...at, 'key'], rule);
    }
    requireCleanName(value, POLICY_LIMITS.claimCharacters, [...at, 'value'], 'The value of a claim');
    return { pointer: key, value };
  });
  requireCount(claims, 0, POLICY_LIMITS.claimsInStatement, [...field, 'claims'], 'claims in a statement');
  return { ...conditionsOf(rules), claims };
}

function parseSubjects(
  input: readonly SubjectInput[],
  statements: readonly Statement[],
  field: FieldPath,
): readonly PolicySubject[] {
  requireCount(input, 0, POLICY_LIMITS.subjects, field, 'subjects');
  const asksClaims = statements.some(({ conditions }) => conditions !== null && conditions.claims.length > 0);
  const { roleCharacters, identityCharacters } = POLICY_LIMITS;
  const subjects = input.map(({ kind, value, issuer = null }, i): PolicySubject => {
    const at = [...field, String(i)];
    const most = kind === 'ROLE' ? roleCharacters : identityCharacters;
    requireCleanName(value, most, [...at, 'value'], kind === 'ROLE' ? 'A role' : 'A subject');
    if (issuer !== null) requireCleanName(issuer, identityCharacters, [...at, 'issuer'], 'An issuer');
    if (issuer === null && kind === 'SUBJECT') {
      throw new InvalidInputError([...at, 'issuer'], 'A subject is one of an issuer: name it.');
    }
    if (issuer === null && asksClaims) {
      const rule = 'Where a statement has conditions on claims, every subject names its issuer.';
      throw new InvalidInputError([...at, 'issuer'], rule);
    }
    return { kind, value, issuer };
  });
  requireUnique(
    subjects.map(({ kind, value, issuer }) => JSON.stringify([kind, value, issuer])),
    (i) => [...field, String(i)],
    'Every subject is given once.',
  );
  return subjects;
}

function requireCleanName(text: string, most: number, field: FieldPath, what: string): void {
  if (CLEAN.test(text) && Array.from(text).length <= most) return;
  throw new InvalidInputError(
    field,
    `${what} has 1 to ${most} characters, none of them a control character.`,
  );
}

function requireCount(
  list: readonly unknown[],
  least: number,
  most: number,
  field: FieldPath,
  what: string,
): void {
  if (list.length >= least && list.length <= most) return;
  throw new InvalidInputError(field, `There are ${least} to ${most} ${what}.`);
}

function requireUnique(keys: readonly string[], field: (index: number) => FieldPath, rule: string): void {
  const seen = new Set<string>();
  for (const [index, key] of keys.entries()) {
    if (seen.has(key)) throw new InvalidInputError(field(index), rule);
    seen.add(key);
  }
}

function requireSum(
  statements: readonly Statement[],
  field: FieldPath,
  most: number,
  what: string,
  countOf: (statement: Statement) => number,
): void {
  if (statements.reduce((sum, statement) => sum + countOf(statement), 0) <= most) return;
  throw new InvalidInputError(field, `A policy has at most ${most} ${what} in all.`);
}
