import type { PolicySubject, Statement } from '../policy/policy.ts';
import { Prisma } from './generated/client.ts';
import type { Scope } from './secret-row.ts';
import type { Statement as Prepared, Run } from './statements.ts';
import type { Transaction } from './transaction.ts';

/** A policy as it stands in its table. */
export interface PolicyRow {
  readonly organisation: string;
  readonly id: string;
  /** '' for the organisation itself: then it holds in every project too. */
  readonly project: string;
  readonly name: string;
  readonly nameKey: string;
  readonly description: string | null;
  readonly statements: readonly Statement[];
  readonly subjects: readonly PolicySubject[];
  readonly objectVersion: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

const COLUMNS = Prisma.sql`
  organisation, id, project, name, name_key AS "nameKey", description, statements, subjects,
  object_version AS "objectVersion", created_at AS "createdAt", updated_at AS "updatedAt"`;

const FIND_ALL: Prepared = {
  name: 'find-policies',
  text: `
    SELECT ${COLUMNS.sql} FROM policy WHERE organisation = $1 AND project IN ('', $2) ORDER BY created_at, id`,
};

/** The organisation's policies and, in a project, the project's own. */
function holding({ organisation, project }: Scope): Prisma.Sql {
  return Prisma.sql`organisation = ${organisation} AND project IN ('', ${project})`;
}

/** All policies that hold in a scope, the oldest first. */
export function findPolicies(run: Run, { organisation, project }: Scope): Promise<readonly PolicyRow[]> {
  return run<PolicyRow>(FIND_ALL, [organisation, project]);
}

/** Where each policy that holds in a scope stands in the order of names, without what it says. */
export function findPolicyNames(
  tx: Transaction,
  scope: Scope,
): Promise<Pick<PolicyRow, 'id' | 'project' | 'name'>[]> {
  return tx.$queryRaw`SELECT id, project, name FROM policy WHERE ${holding(scope)}`;
}

export function findPoliciesById(
  tx: Transaction,
  scope: Scope,
  ids: readonly string[],
): Promise<PolicyRow[]> {
  if (ids.length === 0) return Promise.resolve([]);
  const list = Prisma.join(ids.map((id) => Prisma.sql`${id}::uuid`));
  return tx.$queryRaw<PolicyRow[]>`
    SELECT ${COLUMNS} FROM policy WHERE ${holding(scope)} AND id IN (${list})`;
}

/** The policies whose names are, or look like, the one that has this key: the scope's own first. */
export function findPoliciesByKey(tx: Transaction, scope: Scope, nameKey: string): Promise<PolicyRow[]> {
  return tx.$queryRaw<PolicyRow[]>`
    SELECT ${COLUMNS} FROM policy WHERE ${holding(scope)} AND name_key = ${nameKey} ORDER BY project DESC`;
}

/** Makes every other change of the organisation's policies wait until the transaction ends. */
export async function lockPolicies(tx: Transaction, organisation: string): Promise<void> {
  // The numbers of two organisations may be the same: then they wait for each other, no more.
  await tx.$executeRaw`SELECT pg_advisory_xact_lock(hashtextextended(${`policy/${organisation}`}, 0))`;
}
