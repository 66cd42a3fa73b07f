import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Statement } from '../../../src/db/statements.ts';
import { ConflictError, DecryptionFailedError } from '../../../src/errors.ts';
import type { Region, RequestContext } from '../../../src/resolvers/context/request-context.ts';
import { systemContext } from '../../../src/resolvers/context/system-context.ts';
import { EventDraft } from '../../../src/resolvers/operation/event-draft.ts';
import { operate } from '../../../src/resolvers/operation/operate.ts';
import { operateByStatements } from '../../../src/resolvers/operation/operate-by-statements.ts';
import type { StatementOperation } from '../../../src/resolvers/operation/operation.ts';
import { PUT_POLICY } from '../../e2e/policy-documents.ts';
import { eventually } from '../../support/eventually.ts';
import { type TestApp, testApp } from '../../support/test-app.ts';

type Work<T> = (operation: StatementOperation) => Promise<T>;

let app: TestApp;
let region: Region;
let ctx: RequestContext;

const draft = () => new EventDraft('secret.putValue', 'secret', '/app/guarantee');

/** Both ways to write. What the one promises, the other does. */
const WAYS = {
  operate: <T>(work: Work<T>) => operate(ctx, region, draft, work),
  operateByStatements: <T>(work: Work<T>) => operateByStatements(ctx, region, draft, work),
} as const;

const conflict = () => new ConflictError('currentVersion', 2, 1);
const POLICY = {
  name: 'added',
  statements: [
    { name: 's', effect: 'ALLOW' as const, permissions: ['SECRET_READ' as const], resources: ['secret:/**'] },
  ],
  subjects: [{ kind: 'ROLE' as const, value: 'team' }],
};
const WRITE: Statement = { name: 'try-write', text: 'INSERT INTO trial (label) VALUES ($1)' };
const LOCK: Statement = {
  name: 'try-lock',
  text: "UPDATE trial SET label = label || '+' WHERE label LIKE $1 || '%'",
};
const XID: Statement = { name: 'try-xid', text: 'SELECT pg_current_xact_id()::text AS xid' };

beforeAll(async () => {
  app = await testApp();
  await app.database.query('CREATE TABLE trial (label text); GRANT ALL ON trial TO strongroom_service');
});
afterAll(() => app.close());
beforeEach(async () => {
  const [first] = app.app.regions;
  if (!first) throw new Error('An app without a region.');
  region = first;
  ctx = systemContext(region, { organisation: `org-${randomUUID()}`, project: '' }, 'test', () => new Date());
  await app.database.query('TRUNCATE trial');
});

const written = async () => {
  const { rows } = await app.database.query<{ label: string }>('SELECT label FROM trial ORDER BY label');
  return rows.map(({ label }) => label);
};
interface LoggedEvent {
  readonly sequence: number;
  readonly outcome: string;
  readonly code: string | null;
  readonly details: Readonly<Record<string, string>>;
  readonly xid: string;
}
const events = async () => {
  const { rows } = await app.database.query<LoggedEvent>(
    `SELECT sequence::int, outcome, error_code AS code, details, xmin::text AS xid FROM audit_event
     WHERE organisation = $1 ORDER BY sequence`,
    [ctx.principal.organisation],
  );
  return rows;
};

async function otherClient(): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: app.databaseUrl });
  await client.connect();
  return client;
}

describe.each(Object.entries(WAYS))('%s', (_name, run) => {
  test.each([
    ['a refusal', conflict(), 'CONFLICT'],
    ['a value that does not open', new DecryptionFailedError(), 'DECRYPTION_FAILED'],
  ])('records %s, undoes its writes, and throws it once that is committed', async (_what, error, code) => {
    const answer = run(async ({ run: statement }) => {
      await statement(WRITE, ['undone']);
      throw error;
    });
    await expect(answer).rejects.toBe(error);
    expect(await written()).toEqual([]);
    expect(await events()).toMatchObject([{ sequence: 1, outcome: 'FAILED', code }]);
  });

  test('records a denial with its true reason, whatever the caller is told', async () => {
    const told = conflict();
    const answer = run(({ event }) =>
      Promise.reject(event.deny('SECRET_PUT_VALUE', 'NO_STATEMENT_ALLOWS', told)),
    );
    await expect(answer).rejects.toBe(told);
    expect(await events()).toMatchObject([{ outcome: 'DENIED', code: 'ACCESS_DENIED' }]);
  });

  test('undoes everything for what nobody expected, and records nothing', async () => {
    const answer = run(async ({ run: statement }) => {
      await statement(WRITE, ['undone']);
      throw new TypeError('A bug.');
    });
    await expect(answer).rejects.toThrow(TypeError);
    expect([await written(), await events()]).toEqual([[], []]);
  });

  test('writes nothing where its event cannot be written, and tells no success and no refusal', async () => {
    await app.database.query('REVOKE INSERT ON audit_event FROM strongroom_service');
    try {
      const success = run(({ run: statement }) => statement(WRITE, ['undone']));
      await expect(success).rejects.not.toBeInstanceOf(ConflictError);
      const refusal = run(() => Promise.reject(conflict()));
      await expect(refusal).rejects.not.toBeInstanceOf(ConflictError);
    } finally {
      await app.database.query('GRANT INSERT ON audit_event TO strongroom_service');
    }
    expect([await written(), await events()]).toEqual([[], []]);
  });

  test('commits what it wrote and its event in one transaction, the event with what it learnt last', async () => {
    let xid = '';
    const answer = await run(async ({ run: statement, event }) => {
      await statement(WRITE, ['kept']);
      [{ xid }] = (await statement<{ xid: string }>(XID, [])) as [{ xid: string }];
      event.version = 7;
      return 'done';
    });
    expect(answer).toBe('done');
    expect(await written()).toEqual(['kept']);
    expect(await events()).toMatchObject([{ sequence: 1, outcome: 'SUCCESS', code: null, xid }]);
  });

  test('locks the head of the chain after everything else', async () => {
    await run(() => Promise.resolve());
    const holder = await otherClient();
    try {
      await holder.query('BEGIN');
      await holder.query('SELECT FROM audit_head WHERE organisation = $1 FOR UPDATE', [
        ctx.principal.organisation,
      ]);
      let isWorked = false;
      const answer = run(async ({ run: statement }) => {
        await statement(WRITE, ['kept']);
        isWorked = true;
      });
      await eventually(() => Promise.resolve(isWorked), 3_000);
      await sleep(50);
      expect(await events()).toHaveLength(1);
      await holder.query('COMMIT');
      await answer;
    } finally {
      await holder.end();
    }
    expect(await events()).toHaveLength(2);
  });

  test('runs again with a new draft after a deadlock, and leaves one event and one write', async () => {
    await app.database.query("INSERT INTO trial VALUES ('a'), ('b')");
    let meeting = 0;
    const locking = (first: string, second: string) => {
      let attempts = 0;
      return run(async ({ run: statement, event }) => {
        event.details[`attempt${++attempts}`] = 'made';
        await statement(LOCK, [first]);
        meeting++;
        await eventually(() => Promise.resolve(meeting >= 2));
        await statement(LOCK, [second]);
        return attempts;
      });
    };
    const attempts = await Promise.all([locking('a', 'b'), locking('b', 'a')]);
    expect([...attempts].sort()).toEqual([1, 2]);
    expect(await written()).toEqual(['a++', 'b++']);
    const details = (await events()).map((event) => Object.keys(event.details).join());
    expect(details.sort()).toEqual(['attempt1', 'attempt2']);
  });

  test('decides anew where policies changed while it waited, and undoes what it did before', async () => {
    const { organisation } = ctx.principal;
    const known: number[] = [];
    await run(async ({ run: statement, facts }) => {
      await statement(WRITE, [`attempt ${known.length}`]);
      known.push(facts.policies.length);
      if (known.length > 1) return;
      const put = await app.gql(PUT_POLICY, { input: POLICY }, { organisation });
      expect(put.data.putPolicy?.__typename).toBe('PolicyPayload');
      await sleep(500);
    });
    expect(known).toEqual([known[0], (known[0] ?? 0) + 1]);
    expect(await written()).toEqual(['attempt 1']);
    expect((await events()).filter(({ outcome }) => outcome === 'SUCCESS')).toHaveLength(2);
  });

  describe('wakes those who follow', () => {
    const heard: { payload: string; seen: number }[] = [];
    let listener: pg.Client;
    beforeEach(async () => {
      heard.length = 0;
      listener = await otherClient();
      listener.on('notification', ({ payload = '' }) => {
        void events().then(({ length }) => heard.push({ payload, seen: length }));
      });
      await listener.query('LISTEN strongroom_secret_events');
    });
    afterEach(() => listener.end());

    test('after the commit of a change, once, and not of a refusal', async () => {
      await expect(run(() => Promise.reject(conflict()))).rejects.toThrow();
      await run(() => Promise.resolve());
      await eventually(() => Promise.resolve(heard.length > 0), 3_000);
      await sleep(100);
      expect(heard).toEqual([{ payload: ctx.principal.organisation, seen: 2 }]);
    });
  });
});
