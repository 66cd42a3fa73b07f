import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AuditEventCriteria } from '../../../src/db/audit/audit-event-criteria.ts';
import { findAuditEvents } from '../../../src/db/audit/find-audit-events.ts';
import { Database } from '../../../src/db/database.ts';
import { type TestApp, testApp } from '../../support/test-app.ts';

let app: TestApp;
let db: Database;

beforeAll(async () => {
  app = await testApp();
  db = new Database(app.databaseUrl);
});
afterAll(async () => {
  await db.close();
  await app.close();
});

type Outcome = 'SUCCESS' | 'DENIED' | 'FAILED';
interface Row {
  readonly sequence: number;
  readonly at: Date;
  readonly action: string;
  readonly outcome: Outcome;
  readonly project: string;
  readonly subject: string;
  readonly issuer: string;
  readonly type: string;
  readonly resource: string | null;
  readonly request: string;
}

/** mulberry32: the same events in each run. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
const next = random(20_261_123);
const below = (n: number) => Math.floor(next() * n);
const oneOf = <T>(list: readonly [T, ...T[]]): T => list[below(list.length)] ?? list[0];

const START = Date.parse('2029-01-01T00:00:00Z');
const ACTIONS = ['secret.getValue', 'kms.decrypt', 'secret.create', 'secret.delete', 'policy.put'] as const;
const OUTCOMES = ['SUCCESS', 'DENIED', 'FAILED'] as const;
const FOLDERS = ['/', '/a', '/a/b', '/a/b/c', '/a+', '/z'] as const;

/** Common and rare values, in eras, so that some spans have a value and others lack it. */
function randomRow(sequence: number): Row {
  const era = Math.floor(sequence / 700);
  const action = next() < 0.9 ? ACTIONS[below(2)] : oneOf(ACTIONS);
  const type = action === 'kms.decrypt' ? 'kms-key' : action === 'policy.put' ? 'policy' : 'secret';
  const folder = oneOf(FOLDERS);
  const path = `${folder === '/' ? '' : folder}/${oneOf(['x', 'y', `era${era}`, 'é', 'a_'])}`;
  const time = START + (sequence + below(30)) * 1_000;
  return {
    sequence,
    at: new Date(time),
    action: action ?? ACTIONS[0],
    outcome: next() < 0.95 ? 'SUCCESS' : oneOf(OUTCOMES),
    project: next() < 0.6 ? '' : oneOf(['shop', 'shop b', `p${era}`]),
    subject: next() < 0.01 ? 'rare' : oneOf(['anna', 'ben', `s${era}`, 'ζ "quoted" \\ 😀']),
    issuer: oneOf(['https://one.example', 'https://two.example', `https://era${era % 3}.example`]),
    type,
    resource: next() < 0.02 ? null : type === 'secret' ? path : `${type}-${below(3)}`,
    request: requestOf(time, sequence >> 1),
  };
}
function requestOf(time: number, n: number): string {
  const hex = time.toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-${n.toString(16).padStart(12, '0')}`;
}

/** Events and the head of their chain, in one statement, as who records many at once writes them. */
async function write(
  organisation: string,
  rows: readonly Row[],
  head = rows.at(-1)?.sequence,
): Promise<void> {
  const list = rows.map((row) => ({ ...row, organisation }));
  await db.client.$queryRaw`
    WITH event AS (
      INSERT INTO audit_event (organisation, sequence, id, at, action, outcome, project, region, actor_subject,
        actor_issuer, actor_roles, resource_type, resource, request_id, details, previous_hash, hash)
      SELECT organisation, sequence, gen_random_uuid(), at, action, outcome::"AuditOutcome", project, 'local-1', subject,
        issuer, '{}', type, resource, request, '{}', '', ''
      FROM json_to_recordset(${JSON.stringify(list)}::json) AS r(organisation text, sequence bigint, at timestamptz,
        action text, outcome text, project text, subject text, issuer text, type text, resource text, request text)
    ), moved AS (UPDATE audit_head SET sequence = ${head ?? 0} WHERE organisation = ${organisation})
    SELECT 1 AS done`;
}
async function begin(organisation: string): Promise<void> {
  await db.client.$executeRaw`INSERT INTO audit_head VALUES (${organisation}, 0, '')`;
}

const ANY = {
  ...{ project: null, actions: null, outcome: null, subject: null, issuer: null, resource: null },
  ...{ folder: null, requestId: null, since: null, until: null },
};
type Filter = Omit<AuditEventCriteria, 'organisation'>;

function meets(row: Row, filter: Filter): boolean {
  const same = (wanted: string | null, value: string | null) => wanted === null || wanted === value;
  const folder = filter.folder === '/' ? '/' : `${filter.folder ?? ''}/`;
  return (
    same(filter.project, row.project) &&
    (filter.actions === null || filter.actions.includes(row.action)) &&
    same(filter.outcome, row.outcome) &&
    same(filter.subject, row.subject) &&
    same(filter.issuer, row.issuer) &&
    same(filter.resource, row.resource) &&
    same(filter.requestId, row.request) &&
    (filter.folder === null ||
      (row.type === 'secret' && row.resource !== null && row.resource.startsWith(folder))) &&
    (filter.since === null || row.at >= filter.since) &&
    (filter.until === null || row.at < filter.until)
  );
}

/** A filter that a row has: of few fields, so that they hold of more than that row; at times of two rows, so of none. */
function randomFilter(rows: readonly Row[]): Filter {
  const [first] = rows;
  if (!first) throw new Error('There are no rows.');
  const row = () => rows[below(rows.length)] ?? first;
  const other = next() < 0.2;
  const one = row();
  const from = () => (other ? row() : one);
  const maybe = <T>(chance: number, value: () => T): T | null => (next() < chance ? value() : null);
  const [a, b] = [row().at, row().at];
  const times = a <= b ? { since: a, until: b } : { since: b, until: a };
  const resource = from().resource;
  return {
    project: maybe(0.3, () => from().project || 'shop'),
    actions: maybe(0.3, () => [from().action, ...(next() < 0.5 ? ['kms.rotateKey', oneOf(ACTIONS)] : [])]),
    outcome: maybe(0.2, () => from().outcome),
    subject: maybe(0.25, () => from().subject),
    issuer: maybe(0.15, () => from().issuer),
    resource: maybe(0.15, () => resource ?? '/none'),
    folder: maybe(0.25, () => oneOf([...FOLDERS, '/a/b/c/x'])),
    requestId: maybe(0.05, () => from().request),
    since: next() < 0.15 ? times.since : null,
    until: next() < 0.15 ? times.until : null,
  };
}

async function found(organisation: string, filter: Filter, walk: Walk): Promise<number[]> {
  const events = await findAuditEvents(db.client, { ...filter, organisation }, walk);
  return events.map(({ sequence }) => Number(sequence));
}
type Walk = Parameters<typeof findAuditEvents>[2];
function expected(rows: readonly Row[], filter: Filter, { above, below, ascending, limit }: Walk): number[] {
  const inOrder = ascending ? rows : rows.toReversed();
  return inOrder
    .filter((row) => (above === null || row.sequence > above) && (below === null || row.sequence < below))
    .filter((row) => meets(row, filter))
    .slice(0, limit)
    .map(({ sequence }) => sequence);
}
const ALL: Walk = { above: null, below: null, ascending: true, limit: 100_000 };

async function compareAtRandom(organisation: string, rows: readonly Row[], times: number): Promise<void> {
  for (let n = 0; n < times; n++) {
    const filter = randomFilter(rows);
    const cursor = () => (next() < 0.4 ? BigInt(rows[below(rows.length)]?.sequence ?? 0) : null);
    const limit = oneOf([1, 3, 101, 2_000]);
    const walk = { above: cursor(), below: cursor(), ascending: next() < 0.5, limit };
    const asked = JSON.stringify({ filter, walk }, (_, value: unknown) =>
      typeof value === 'bigint' ? String(value) : value,
    );
    expect(await found(organisation, filter, walk), asked).toEqual(expected(rows, filter, walk));
  }
}
const spans = async (organisation: string) =>
  (
    await app.database.query<{ last: number; open: boolean; postings: number }>(
      `SELECT last_sequence::int AS last, open, (SELECT count(*)::int FROM audit_posting p
         WHERE p.organisation = s.organisation AND p.last_sequence = s.last_sequence) AS postings
       FROM audit_span s WHERE organisation = $1 ORDER BY 1`,
      [organisation],
    )
  ).rows;

test('the service’s role can write neither spans nor postings, nor have the owner write some', async () => {
  for (const sql of [
    `INSERT INTO audit_posting VALUES ('acme', 0, 1024, '{}', '{}')`,
    `UPDATE audit_posting SET terms = '{}'`,
    `DELETE FROM audit_posting`,
    `INSERT INTO audit_span VALUES ('acme', 1024, now(), now())`,
    `DELETE FROM audit_span`,
    `SELECT write_audit_span('acme', 1024, 1)`,
    `SELECT write_audit_spans('acme', 1024)`,
  ]) {
    await expect(db.client.$executeRawUnsafe(sql), sql).rejects.toThrow(/42501/);
  }
});

test('any filter, cursor, time and direction finds what a look at every event finds', async () => {
  await begin('random');
  const rows = Array.from({ length: 7_400 }, (_, index) => randomRow(index + 1));
  // In groups that end before, at and behind the ends of spans; one completes three.
  let from = 0;
  for (const to of [1_000, 1_023, 1_024, 1_100, 2_048, 2_049, 5_200, 7_400]) {
    await write('random', rows.slice(from, to));
    from = to;
  }
  expect((await spans('random')).map(({ last, open }) => [last, open])).toEqual(
    [1, 2, 3, 4, 5, 6, 7].map((n) => [n * 1_024, false]),
  );
  await compareAtRandom('random', rows, 400);
});

test('a head that was moved before its events were there hides none of them', async () => {
  await begin('early');
  const rows = Array.from({ length: 2_100 }, (_, index) => randomRow(index + 1));
  await write('early', rows.slice(1_000, 1_030), 1_030);
  await write('early', [...rows.slice(1_030, 1_200), ...rows.slice(1_400, 2_100)], 2_100);
  await write('early', [...rows.slice(0, 1_000), ...rows.slice(1_200, 1_400)], 0);
  await write('early', [], 2_100);
  expect((await spans('early')).map(({ last, open }) => [last, open])).toEqual([
    [1_024, true],
    [2_048, true],
  ]);
  await compareAtRandom('early', rows, 100);
});

test('when retention removes events, their spans and postings go, and those of the others are found as before', async () => {
  await begin('old');
  const rows = Array.from({ length: 5_000 }, (_, index) => randomRow(index + 1)).map((row) => ({
    ...row,
    at: new Date(Date.parse('2020-01-01T00:00:00Z') + row.sequence * 1_000),
  }));
  await write('old', rows);
  const expire = async (through: number) => {
    await app.database.query(
      `INSERT INTO audit_checkpoint (organisation, kind, sequence, hash, at, key_id, signature)
       VALUES ('old', 'RETENTION', $1, '', now(), 'none', '')`,
      [through],
    );
    for (let removed = 1; removed > 0;) {
      const { rows } = await app.database.query<{ n: number }>(`SELECT expire_audit_events('old', 700) AS n`);
      removed = rows[0]?.n ?? 0;
    }
  };
  await app.database.query('INSERT INTO audit_retention (days) VALUES (30)');
  try {
    await expire(2_500);
    expect((await spans('old')).map(({ last, postings }) => [last, postings > 0])).toEqual([
      [3_072, true],
      [4_096, true],
    ]);
    const { rows: lasts } = await app.database.query<{ last: string }>(
      `SELECT DISTINCT last_sequence AS last FROM audit_posting WHERE organisation = 'old' ORDER BY 1`,
    );
    expect(lasts.map(({ last }) => last)).toEqual(['3072', '4096']);
    await compareAtRandom('old', rows.slice(2_500), 150);
    // A chain that became empty in the middle of a span goes on there.
    await expire(5_000);
    expect(await spans('old')).toEqual([]);
    expect(await found('old', { ...ANY, subject: 'anna' }, ALL)).toEqual([]);
    const more = Array.from({ length: 1_500 }, (_, index) => randomRow(5_001 + index));
    await write('old', more);
    expect((await spans('old')).map(({ last, open }) => [last, open])).toEqual([
      [5_120, false],
      [6_144, false],
    ]);
    await compareAtRandom('old', more, 100);
  } finally {
    await app.database.query('DELETE FROM audit_retention');
  }
});
