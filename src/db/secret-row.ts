import type { AccessPolicy } from '../policy/conditions/access-policy.ts';
import { Prisma } from './generated/client.ts';
import { arrayOf, literal, type Run, type Statement } from './statements.ts';
import type { Transaction } from './transaction.ts';

/** A secret as it stands in its table. */
export interface SecretRow {
  readonly organisation: string;
  readonly id: string;
  readonly project: string;
  readonly path: string;
  readonly kmsKeyIdentity: string;
  readonly description: string | null;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly accessPolicy: AccessPolicy | null;
  /** The highest number ever given. */
  readonly latestVersion: number;
  /** The highest ACTIVE number. */
  readonly currentVersion: number | null;
  readonly objectVersion: number;
  readonly createdAt: Date;
  readonly createdBySubject: string;
  readonly createdByIssuer: string;
  readonly updatedAt: Date;
  readonly deletedAt: Date | null;
  readonly purgeAt: Date | null;
}

/** Where rows are looked for: nothing outside is ever loaded. */
export interface Scope {
  readonly organisation: string;
  /** '' for the organisation itself. */
  readonly project: string;
}

export const SECRET_COLUMNS = Prisma.sql`
  s.organisation, s.id, s.project, s.path, s.kms_key_identity AS "kmsKeyIdentity", s.description, s.labels,
  s.annotations, s.access_policy AS "accessPolicy", s.latest_version AS "latestVersion",
  s.current_version AS "currentVersion", s.object_version AS "objectVersion", s.created_at AS "createdAt",
  s.created_by_subject AS "createdBySubject", s.created_by_issuer AS "createdByIssuer", s.updated_at AS "updatedAt",
  s.deleted_at AS "deletedAt", s.purge_at AS "purgeAt"`;

export function inScope(scope: Scope): Prisma.Sql {
  return Prisma.sql`s.organisation = ${scope.organisation} AND s.project = ${scope.project}`;
}

const SELECT_IN_SCOPE = `
  SELECT ${SECRET_COLUMNS.sql} FROM secret s WHERE s.organisation = $1 AND s.project = $2`;
const FIND_BY_KEY: Statement = {
  name: 'find-secrets-by-key',
  text: `${SELECT_IN_SCOPE} AND s.deleted_at IS NULL AND s.path_key = ANY($3::text[])`,
};
const LOCK_BY_KEY: Statement = {
  name: 'lock-secret-by-key',
  text: `${SELECT_IN_SCOPE} AND s.deleted_at IS NULL AND s.path_key = $3 FOR UPDATE`,
};
const FIND_BY_ID: Statement = { name: 'find-secret-by-id', text: `${SELECT_IN_SCOPE} AND s.id = $3::uuid` };

/** The live secrets at these path keys, in no order. */
export function findSecretsByKey(
  run: Run,
  { organisation, project }: Scope,
  pathKeys: readonly string[],
): Promise<readonly SecretRow[]> {
  return run<SecretRow>(FIND_BY_KEY, [organisation, project, arrayOf(pathKeys.map(literal))]);
}

/** The live secret at a path key, locked against every other change until the transaction ends. */
export async function lockSecretByKey(
  run: Run,
  { organisation, project }: Scope,
  pathKey: string,
): Promise<SecretRow | null> {
  const [row] = await run<SecretRow>(LOCK_BY_KEY, [organisation, project, pathKey]);
  return row ?? null;
}

/** The secret of an id while its recovery window lasts, locked. */
export async function lockDeletedSecret(
  tx: Transaction,
  scope: Scope,
  id: string,
  at: Date,
): Promise<SecretRow | null> {
  const rows = await tx.$queryRaw<SecretRow[]>`
    SELECT ${SECRET_COLUMNS} FROM secret s
    WHERE ${inScope(scope)} AND s.id = ${id}::uuid AND s.purge_at > ${at} FOR UPDATE`;
  return rows[0] ?? null;
}

/** The secret of an id once its recovery window is over, locked; null too while somebody else has it locked. */
export async function lockExpiredSecret(
  tx: Transaction,
  scope: Scope,
  id: string,
  at: Date,
): Promise<SecretRow | null> {
  const rows = await tx.$queryRaw<SecretRow[]>`
    SELECT ${SECRET_COLUMNS} FROM secret s
    WHERE ${inScope(scope)} AND s.id = ${id}::uuid AND s.purge_at <= ${at} FOR UPDATE SKIP LOCKED`;
  return rows[0] ?? null;
}

/** The secret of an id, live or in its recovery window. */
export async function findSecretById(
  run: Run,
  { organisation, project }: Scope,
  id: string,
): Promise<SecretRow | null> {
  const [row] = await run<SecretRow>(FIND_BY_ID, [organisation, project, id]);
  return row ?? null;
}
