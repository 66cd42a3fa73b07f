import { expect } from 'vitest';
import type { TestApp } from './test-app.ts';

export interface EventRow {
  readonly sequence: number;
  readonly action: string;
  readonly outcome: string;
  readonly error_code: string | null;
  readonly actor_subject: string;
  readonly actor_issuer: string;
  readonly resource: string | null;
  readonly version: number | null;
  readonly caused_by: number | null;
  readonly request_id: string;
  readonly details: Readonly<Record<string, string>>;
}

/** The events that `work` appends to an organisation's chain, counted from 1, once their links have been checked. */
export async function eventsOf(
  app: TestApp,
  work: () => Promise<unknown>,
  organisation = 'acme',
): Promise<EventRow[]> {
  const head = async () => {
    const { rows } = await app.database.query<{ n: number }>(
      'SELECT sequence::int AS n FROM audit_head WHERE organisation = $1',
      [organisation],
    );
    return rows[0]?.n ?? 0;
  };
  const before = await head();
  await work();
  const { rows } = await app.database.query<EventRow & { linked: boolean }>(
    `SELECT (sequence - $1)::int AS sequence, action, outcome, error_code, actor_subject, actor_issuer, resource, version,
       (caused_by - $1)::int AS caused_by, request_id, details,
       previous_hash = (SELECT p.hash FROM audit_event p WHERE p.organisation = $2 AND p.sequence = e.sequence - 1)
         AS linked
     FROM audit_event e WHERE organisation = $2 AND sequence > $1 ORDER BY e.sequence`,
    [before, organisation],
  );
  expect(rows.map(({ sequence }) => sequence)).toEqual(rows.map((_, index) => index + 1));
  expect(rows.every(({ linked }, index) => linked || (before === 0 && index === 0))).toBe(true);
  return rows;
}
