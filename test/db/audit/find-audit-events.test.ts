import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AuditEventCriteria } from '../../../src/db/audit/audit-event-criteria.ts';
import {
  findAuditEvents,
  sequencesBetween,
  sequencesQuery,
} from '../../../src/db/audit/find-audit-events.ts';
import { Database } from '../../../src/db/database.ts';
import { Prisma } from '../../../src/db/generated/client.ts';
import type { Transaction } from '../../../src/db/transaction.ts';
import { type TestApp, testApp } from '../../support/test-app.ts';

const EVENTS = 600_000;
const START = Date.parse('2029-01-01T00:00:00Z');
const SECONDS_APART = 30;
/** A row of each span, the events that have no postings yet, and the blocks of a page. */
const MOST_TOUCHED = 4_000;

/** A UUID of version 7, of the time of the first of its two events: in SQL and here. */
const requestId = (n: string) =>
  `regexp_replace(lpad(to_hex(${START} + ${n} * ${2_000 * SECONDS_APART}), 12, '0'), '(.{8})(.{4})', '\\1-\\2-7000-8000-')
    || lpad(to_hex(${n}), 12, '0')`;

function requestIdOf(n: number): string {
  const time = (START + n * 2_000 * SECONDS_APART).toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${n.toString(16).padStart(12, '0')}`;
}

let app: TestApp;
let db: Database;

/** 600,000 events whose hashes are dummies: among them what is rare, and what was common only long ago. */
beforeAll(async () => {
  app = await testApp();
  db = new Database(app.databaseUrl);
  await app.database.query(
    `INSERT INTO audit_event (organisation, sequence, id, at, action, outcome, error_code, project, region,
        actor_subject, actor_issuer, actor_roles, resource_type, resource, resource_id, request_id, details,
        previous_hash, hash)
      SELECT 'big', n, md5(n::text)::uuid, $2::timestamptz + make_interval(secs => n * ${SECONDS_APART} + n % 97),
        CASE WHEN n IN (7, 400007) THEN 'secret.purge' WHEN n % 2 = 0 THEN 'kms.decrypt'
          WHEN n < 200000 AND n % 3 = 0 THEN 'secret.create' ELSE 'secret.getValue' END,
        (CASE WHEN n IN (11, 12, 13) THEN 'FAILED' WHEN n % 100 = 0 THEN 'DENIED' ELSE 'SUCCESS' END)::"AuditOutcome",
        NULL, CASE WHEN n IN (21, 23) THEN 'tiny' WHEN n % 4 = 0 THEN 'shop' ELSE '' END, 'local-1',
        CASE WHEN n IN (31, 400031, 599031) THEN 'rare' WHEN n < 200000 AND n % 2 = 1 THEN 'left' ELSE 'subject' END,
        CASE WHEN n < 900 AND n % 3 = 0 THEN 'https://old.example' ELSE 'https://id.example' END, ARRAY['role'],
        CASE WHEN n % 2 = 0 THEN 'kms-key' ELSE 'secret' END,
        CASE WHEN n % 2 = 0 THEN 'kms-1' WHEN n = 41 THEN '/rare/one/secret'
          WHEN n < 100000 THEN '/old/' || n % 50 || '/secret' ELSE '/app/' || n % 1000 || '/secret' END,
        CASE WHEN n % 2 = 1 THEN md5((n % 1000)::text) END, ${requestId('n / 2')}, '{}', '', ''
      FROM generate_series(1, $1::bigint) n`,
    [EVENTS, new Date(START)],
  );
  // The spans as the service leaves them: when the head moves past their ends.
  await app.database.query(`INSERT INTO audit_head VALUES ('big', 0, '')`);
  await app.database.query(`UPDATE audit_head SET sequence = ${EVENTS} WHERE organisation = 'big'`);
  await app.database.query('VACUUM (ANALYZE) audit_event, audit_span, audit_posting');
}, 240_000);
afterAll(async () => {
  await db.close();
  await app.close();
});

const NONE: AuditEventCriteria = {
  ...{ organisation: 'big', project: null, actions: null, outcome: null, subject: null, issuer: null },
  ...{ resource: null, folder: null, requestId: null, since: null, until: null },
};
const at = (n: number) => new Date(START + n * SECONDS_APART * 1_000);
/** That of the events 500,000 and 500,001. */
const REQUEST = requestIdOf(250_000);
const below = (folder: string) => ({ folder });

interface Plan {
  readonly 'Node Type': string;
  readonly 'Actual Rows': number;
  readonly 'Actual Loops': number;
  readonly 'Rows Removed by Filter'?: number;
  readonly 'Rows Removed by Index Recheck'?: number;
  readonly Plans?: readonly Plan[];
}

/** The rows that Postgres touches in the table and its indexes for a page of 100, and how it goes about it. */
async function explain(criteria: AuditEventCriteria, ascending = false) {
  const walk = { above: null, below: null, ascending, limit: 101 };
  const range = await sequencesBetween(db.client, criteria, walk);
  const rows = await db.client.$queryRaw<{ 'QUERY PLAN': [{ Plan: Plan }] }[]>(
    Prisma.sql`EXPLAIN (ANALYZE, FORMAT JSON) ${sequencesQuery(criteria, walk, range)}`,
  );
  const nodes: Plan[] = [];
  const visit = (plan: Plan) => {
    nodes.push(plan);
    plan.Plans?.forEach(visit);
  };
  const [root] = rows[0]?.['QUERY PLAN'] ?? [];
  if (root) visit(root.Plan);
  const scans = nodes.filter(
    (node) => node['Node Type'].includes('Scan') && !node['Node Type'].includes('Function'),
  );
  const touched = scans.reduce(
    (sum, node) =>
      sum +
      (node['Actual Rows'] +
        (node['Rows Removed by Filter'] ?? 0) +
        (node['Rows Removed by Index Recheck'] ?? 0)) *
        node['Actual Loops'],
    0,
  );
  return { touched, kinds: [...new Set(scans.map((node) => node['Node Type']))] };
}

const FILTERS: readonly (readonly [string, Partial<AuditEventCriteria>, number])[] = [
  ['nothing', {}, 101],
  ['a request', { requestId: REQUEST }, 2],
  ['no such request', { requestId: 'request-x' }, 0],
  ['a common subject', { subject: 'subject' }, 101],
  ['a subject with 3 events', { subject: 'rare' }, 3],
  ['a subject that left long ago', { subject: 'left' }, 101],
  ['a common issuer', { issuer: 'https://id.example' }, 101],
  ['an issuer of long ago', { issuer: 'https://old.example' }, 101],
  ['a subject of an issuer', { subject: 'rare', issuer: 'https://id.example' }, 3],
  ['a common action', { actions: ['secret.getValue'] }, 101],
  ['an action of long ago', { actions: ['secret.create'] }, 101],
  ['an action that happened twice', { actions: ['secret.purge'] }, 2],
  ['actions that never happened', { actions: ['policy.put', 'policy.delete'] }, 0],
  ['common, rare and absent actions', { actions: ['kms.decrypt', 'secret.purge', 'policy.put'] }, 101],
  ['success', { outcome: 'SUCCESS' }, 101],
  ['refusals', { outcome: 'DENIED' }, 101],
  ['failures, of which there are 3', { outcome: 'FAILED' }, 3],
  ['refused reads', { actions: ['secret.getValue'], outcome: 'DENIED' }, 0],
  ['a path', { resource: '/app/7/secret' }, 101],
  ['a path of long ago', { resource: '/old/1/secret' }, 101],
  ['no such path', { resource: '/app/nothing' }, 0],
  ['reads of a path', { resource: '/app/7/secret', actions: ['secret.getValue'] }, 101],
  ['a common folder', below('/app'), 101],
  ['the root', below('/'), 101],
  ['a folder of long ago', below('/old'), 101],
  ['a folder with 1 event', below('/rare'), 1],
  ['no such folder', below('/none'), 0],
  ['reads below a folder', { ...below('/old'), actions: ['secret.getValue'] }, 101],
  ['a subject below a folder', { ...below('/old'), subject: 'rare' }, 1],
  ['the distant past', { until: at(-1) }, 0],
  ['a time long ago', { since: at(1_000), until: at(9_000) }, 101],
  ['the time up to long ago', { until: at(9_000) }, 101],
  ['a time to come', { since: at(EVENTS + 1_000) }, 0],
  ['the last minutes', { since: at(EVENTS - 50) }, 51],
  ['an action in a time long ago', { actions: ['secret.create'], since: at(1_000), until: at(9_000) }, 101],
  ['an action of long ago, lately', { actions: ['secret.create'], since: at(500_000) }, 0],
  ['a subject that left, lately', { subject: 'left', since: at(500_000) }, 0],
  ['a subject long ago', { subject: 'subject', since: at(1_000), until: at(9_000) }, 101],
  ['refusals long ago', { outcome: 'DENIED', until: at(9_000) }, 89],
  ['a folder in a time', { ...below('/app'), since: at(300_000), until: at(310_000) }, 101],
  ['a project', { project: 'shop' }, 101],
  ['a project with 2 events', { project: 'tiny' }, 2],
  ['a subject that a project never had', { project: 'shop', subject: 'left' }, 0],
  ['an action that a project never had', { project: 'shop', actions: ['secret.getValue'] }, 0],
  ['a path that a project never had', { project: 'shop', resource: '/app/7/secret' }, 0],
  ['failures of a project', { project: 'shop', outcome: 'FAILED' }, 1],
  ['a small project long ago', { project: 'tiny', until: at(100) }, 2],
];

/** What this connection has read of the table so far: row by row, and by an index. */
async function touchedBy(tx: Transaction) {
  const [counted] = await tx.$queryRaw<[{ scanned: bigint; fetched: bigint }]>`
    SELECT seq_tup_read AS scanned, idx_tup_fetch AS fetched FROM pg_stat_xact_user_tables
    WHERE relname = 'audit_event'`;
  return counted;
}

test.each(FILTERS)('a page of 100 of 600,000 events needs no scan: %s', async (_, filter, expected) => {
  const criteria = { ...NONE, ...filter };
  for (const ascending of [false, true]) {
    const walk = { above: null, below: null, ascending, limit: 101 };
    const { found, before, after } = await db.transaction(async (tx) => {
      const before = await touchedBy(tx);
      const found = await findAuditEvents(tx, criteria, walk);
      return { found, before, after: await touchedBy(tx) };
    });
    expect(found).toHaveLength(expected);
    const order = found.map(({ sequence }) => Number(sequence));
    expect(order).toEqual(order.toSorted((a, b) => (ascending ? a - b : b - a)));
    expect(after.scanned - before.scanned).toBe(0n);
    expect(Number(after.fetched - before.fetched)).toBeLessThan(MOST_TOUCHED);
    const { touched, kinds } = await explain(criteria, ascending);
    expect(kinds).not.toContain('Seq Scan');
    expect(touched).toBeLessThan(MOST_TOUCHED);
  }
});

test('a range of time holds just the events in it, though times do not grow strictly with the sequence', async () => {
  const [since, until] = [at(500_000), at(500_100)];
  const walk = { above: null, below: null, ascending: true, limit: 1_000 };
  const found = await findAuditEvents(db.client, { ...NONE, since, until }, walk);
  const { rows } = await app.database.query<{ sequence: string }>(
    `SELECT sequence FROM audit_event WHERE organisation = 'big' AND at >= $1 AND at < $2 ORDER BY sequence`,
    [since, until],
  );
  expect(found.map(({ sequence }) => String(sequence))).toEqual(rows.map(({ sequence }) => sequence));
  expect(rows.length).toBeGreaterThan(90);
});
