import type pg from 'pg';

/** Something that the user of the connection lacks, and what gives it: SQL for an administrator, or a sentence. */
export interface MissingRight {
  readonly lacks: string;
  readonly remedy: string;
}

interface Facts {
  readonly version: number;
  readonly isReadOnly: boolean;
  readonly user: string;
  readonly database: string;
  readonly mayCreateTables: boolean;
  readonly mayCreateSchemas: boolean;
  readonly hasQueue: boolean;
  readonly mayUseQueue: boolean;
  readonly hasServiceRole: boolean;
  readonly mayCreateRoles: boolean;
  readonly maySetServiceRole: boolean;
  readonly mayGrantServiceRole: boolean;
  /** Who owns what the user does not, of the service's tables; null: nothing. */
  readonly otherOwner: string | null;
}

const OLDEST_VERSION = 150_000;

const FACTS = `
  SELECT
    current_setting('server_version_num')::int AS version,
    current_setting('transaction_read_only') = 'on' AS "isReadOnly",
    quote_ident(current_user) AS user,
    quote_ident(current_database()) AS database,
    has_schema_privilege('public', 'CREATE') AS "mayCreateTables",
    has_database_privilege(current_database(), 'CREATE') AS "mayCreateSchemas",
    queue.oid IS NOT NULL AS "hasQueue",
    coalesce(pg_has_role(queue.nspowner, 'USAGE'), false) AS "mayUseQueue",
    service.oid IS NOT NULL AS "hasServiceRole",
    self.rolsuper OR self.rolcreaterole AS "mayCreateRoles",
    self.rolsuper OR coalesce(pg_has_role(service.oid, 'MEMBER'), false) AS "isMember",
    self.rolsuper AS "isSuperuser",
    (
      SELECT quote_ident(pg_get_userbyid(c.relowner)) FROM pg_class c
      WHERE c.relnamespace = 'public'::regnamespace AND c.relname IN ('_prisma_migrations', 'secret', 'audit_event')
        AND NOT pg_has_role(c.relowner, 'USAGE')
      LIMIT 1
    ) AS "otherOwner"
  FROM pg_roles self
  LEFT JOIN pg_roles service ON service.rolname = 'strongroom_service'
  LEFT JOIN pg_namespace queue ON queue.nspname = 'graphile_worker'
  WHERE self.rolname = current_user`;

/** From PostgreSQL 16 on being a member and being able to act as the role are two things. */
const MAY_SET = `SELECT pg_has_role('strongroom_service', 'SET') AS "maySet", EXISTS (
    SELECT FROM pg_auth_members WHERE roleid = 'strongroom_service'::regrole AND member = current_user::regrole AND admin_option
  ) AS "isAdmin"`;

/** All that keeps this user from migrating the database and running the service on it, at once; empty: nothing does. */
export async function missingRights(client: pg.ClientBase): Promise<readonly MissingRight[]> {
  const facts = await readFacts(client);
  const { user, database } = facts;
  const missing: MissingRight[] = [];
  const lack = (lacks: string, remedy: string) => missing.push({ lacks, remedy });
  if (facts.version < OLDEST_VERSION) lack('PostgreSQL 15 or later', 'Upgrade PostgreSQL.');
  if (facts.isReadOnly) {
    lack(
      'a database that can be written',
      'Connect to the primary, or turn default_transaction_read_only off.',
    );
  }
  if (facts.otherOwner !== null) {
    lack(
      'ownership of the tables',
      `Connect as ${facts.otherOwner}, or GRANT ${facts.otherOwner} TO ${user};`,
    );
  }
  if (!facts.mayCreateTables) {
    lack('the right to create tables', `GRANT USAGE, CREATE ON SCHEMA public TO ${user};`);
  }
  if (facts.hasQueue ? !facts.mayUseQueue : !facts.mayCreateSchemas) {
    lack(
      'the right to create the schema graphile_worker, the queue of jobs',
      facts.hasQueue
        ? `ALTER SCHEMA graphile_worker OWNER TO ${user};`
        : `GRANT CREATE ON DATABASE ${database} TO ${user};`,
    );
  }
  if (!facts.hasServiceRole && !facts.mayCreateRoles) {
    lack(
      'the role strongroom_service',
      `CREATE ROLE strongroom_service NOLOGIN; GRANT strongroom_service TO ${user};`,
    );
  }
  if (facts.hasServiceRole && !facts.maySetServiceRole && !facts.mayGrantServiceRole) {
    lack('membership of the role strongroom_service', `GRANT strongroom_service TO ${user};`);
  }
  return missing;
}

async function readFacts(client: pg.ClientBase): Promise<Facts> {
  const { rows } = await client.query<Facts & { isMember: boolean; isSuperuser: boolean }>(FACTS);
  const [found] = rows;
  if (!found) throw new Error('The user of the connection is not among the roles.');
  const { isMember, isSuperuser, ...facts } = found;
  if (!facts.hasServiceRole || isSuperuser || facts.version < 160_000) {
    return { ...facts, maySetServiceRole: isMember, mayGrantServiceRole: facts.mayCreateRoles };
  }
  const { rows: membership } = await client.query<{ maySet: boolean; isAdmin: boolean }>(MAY_SET);
  const { maySet = false, isAdmin = false } = membership[0] ?? {};
  return { ...facts, maySetServiceRole: maySet, mayGrantServiceRole: isAdmin };
}
