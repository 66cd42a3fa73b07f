import { type FieldPath, InvalidInputError } from '../errors.ts';
import { RESOURCE_KINDS, type ResourceKind } from './pattern.ts';
import { POLICY_NAME } from './policy-name.ts';
import { PATH_LIMITS } from './secret-path.ts';

/** What a KMS key's identity may be made of. */
const IDENTITY = /^[A-Za-z0-9][A-Za-z0-9_.:+-]{0,127}$/;
const SEGMENT = /^[A-Za-z0-9_.+*-]+$/;

/** The kind of a pattern that keeps the grammar. Throws InvalidInputError with the rule and the position, not the text. */
export function parsePattern(text: string, field: FieldPath): ResourceKind {
  const kind = RESOURCE_KINDS.find((candidate) => text.startsWith(`${candidate}:`));
  const refuse = (rule: string) => new InvalidInputError(field, rule);
  if (kind === undefined) throw refuse('A resource begins with secret:, kms-key:, policy: or audit:.');
  const name = text.slice(kind.length + 1);
  if (kind === 'secret') requirePathPattern(name, refuse);
  else if (kind === 'audit' && name !== '*') throw refuse('The audit log is audit:*.');
  else if (kind === 'kms-key' && name !== '*' && !IDENTITY.test(name)) {
    throw refuse('A KMS key is kms-key: with the identity of the key, or kms-key:*.');
  } else if (kind === 'policy' && name !== '*' && !POLICY_NAME.test(name)) {
    throw refuse('A policy is policy: with the name of the policy, or policy:*.');
  }
  return kind;
}

function requirePathPattern(path: string, refuse: (rule: string) => InvalidInputError): void {
  const { characters, segments: most, segmentCharacters } = PATH_LIMITS;
  if (!path.startsWith('/')) throw refuse('The path of a pattern starts with "/".');
  if (path.length > characters) throw refuse(`The path of a pattern has at most ${characters} characters.`);
  const segments = path.slice(1).split('/');
  if (segments.length > most) throw refuse(`The path of a pattern has at most ${most} segments.`);
  for (const [index, segment] of segments.entries()) {
    if (segment === '**' && index === segments.length - 1) continue;
    const problem = segmentProblem(segment, segmentCharacters);
    if (problem) throw refuse(`Segment ${index + 1} of the pattern ${problem}.`);
  }
}

function segmentProblem(segment: string, mostCharacters: number): string | null {
  if (segment === '') return 'is empty: there is no "//" and no "/" at the end';
  if (segment === '.' || segment === '..') return 'is "." or "..", which are not allowed';
  if (segment === '**') return 'is "**", which is allowed as the last one only';
  if (segment.includes('**')) return 'has two "*" in a row: "**" is a segment of its own, the last';
  if (!SEGMENT.test(segment)) return 'holds a character that is none of A-Z a-z 0-9 _ . + - *';
  return segment.length > mostCharacters ? `is longer than ${mostCharacters} characters` : null;
}
