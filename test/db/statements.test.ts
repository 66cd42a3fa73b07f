import fc from 'fast-check';
import pg from 'pg';
import { afterAll, expect, inject, test } from 'vitest';
import { arrayOf, isLockTimeout, literal, Statements } from '../../src/db/statements.ts';

const statements = new Statements({ connectionString: inject('postgres'), max: 3 }, () => undefined);
afterAll(() => statements.close());

const ECHO = { name: 'echo', text: 'SELECT $1::text[] AS items' };
const text = fc.string({
  unit: fc.constantFrom('"', '\\', '{', '}', ',', ' ', 'N', 'NULL', 'é', '\x01', '\n', '😀'),
});

test('any texts arrive as they are, and null as null', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.option(
          fc.oneof(
            text,
            fc.string().filter((s) => !s.includes('\0')),
          ),
        ),
      ),
      async (items) => {
        const [row] = await statements.run<{ items: string[] }>(ECHO, [arrayOf(items.map(literal))]);
        expect(row?.items).toEqual(items);
      },
    ),
    { numRuns: 300 },
  );
});

test('numbers of 64 bits come as bigint', async () => {
  const [row] = await statements.run(
    { name: 'big', text: 'SELECT 9007199254740993::bigint AS n, 7::int AS i' },
    [],
  );
  expect(row).toEqual({ n: 9007199254740993n, i: 7 });
});

test('what fails in a transaction leaves nothing, and its connection goes on', async () => {
  const name = `statements_${process.pid}`;
  const create = { name: 'create', text: `CREATE TABLE ${name} (id int PRIMARY KEY)` };
  const insert = { name: 'insert', text: `INSERT INTO ${name} VALUES ($1)` };
  const count = { name: 'count', text: `SELECT count(*)::int AS n FROM ${name}` };
  await statements.run(create, []);
  for (let time = 0; time < 5; time++) {
    await expect(
      statements.transaction(async (run) => {
        await run(insert, [1]);
        await run(insert, [1]);
      }),
    ).rejects.toThrow();
  }
  expect(await statements.run(count, [])).toEqual([{ n: 0 }]);
  await statements.transaction((run) => run(insert, [1]));
  expect(await statements.run(count, [])).toEqual([{ n: 1 }]);
  await statements.run({ name: 'drop', text: `DROP TABLE ${name}` }, []);
});

test('a statement by itself waits 300 ms for a lock, one in a transaction longer', async () => {
  const owner = new pg.Client({ connectionString: inject('postgres') });
  await owner.connect();
  const lock = { name: 'lock', text: 'SELECT pg_advisory_xact_lock(4711)' };
  await owner.query('SELECT pg_advisory_lock(4711)');
  const since = performance.now();
  const error: unknown = await statements.run(lock, []).catch((reason: unknown) => reason);
  expect(isLockTimeout(error)).toBe(true);
  expect(performance.now() - since).toBeLessThan(2_000);
  const waiting = statements.transaction((run) => run(lock, []));
  await new Promise((resolve) => setTimeout(resolve, 600));
  await owner.query('SELECT pg_advisory_unlock(4711)');
  await expect(waiting).resolves.toHaveLength(1);
  await owner.end();
});
