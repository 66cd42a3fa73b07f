import { Prisma } from '../generated/client.ts';
import type { AuditEventCriteria } from './audit-event-criteria.ts';

/** Terms, at least one of which an event has; all are in the bucket of the first. */
export type AnyTerm = readonly [Prisma.Sql, ...Prisma.Sql[]];

/**
 * What the postings are asked for, the most telling first: of each entry an event has a term, or it does not meet the
 * criteria. An event that has them all need not meet them. Empty where only times and places in the log are asked for.
 */
export function auditTerms(criteria: AuditEventCriteria): readonly AnyTerm[] {
  const { project, actions, outcome, subject, issuer, resource, folder, requestId } = criteria;
  const own = (kind: 'subject' | 'resource', value: string): AnyTerm =>
    project === null ? term(kind, value) : term(`project ${kind}`, `${project} ${value}`);
  const doing = (values: readonly string[]) => values.map((value) => doingTerm(project ?? '', value));
  const done = actions ? doing(actions.map((action) => (outcome ? `${action} ${outcome}` : action))) : [];
  const [first, ...others] = actions ? done : outcome ? doing([outcome]) : [];
  const inProject = project !== null && resource === null && subject === null && !first;
  return [
    ...(requestId !== null
      ? [[Prisma.sql`(SELECT audit_term('request', left(${requestId}::text, 11)))`] as const]
      : []),
    ...(resource !== null ? [own('resource', resource)] : []),
    ...(subject !== null ? [own('subject', subject)] : []),
    ...(folder !== null ? [folder === '/' ? term('type', 'secret') : term('folder', folder)] : []),
    ...(first ? [[first, ...others] as const] : []),
    ...(inProject ? [[doingTerm(project, '')] as const] : []),
    ...(issuer !== null ? [term('issuer', issuer)] : []),
  ];
}

function term(kind: string, value: string): AnyTerm {
  return [Prisma.sql`(SELECT audit_term(${kind}::text, ${value}::text))`];
}

function doingTerm(project: string, value: string): Prisma.Sql {
  return Prisma.sql`(SELECT audit_doing_term(${project}::text, ${value}::text))`;
}
