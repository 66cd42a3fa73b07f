import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { eventsOf } from '../support/audit-events.ts';
import { eventually } from '../support/eventually.ts';
import { kmsKeysOf, requestTask } from '../support/kms-keys.ts';
import { type TestApp, testApp } from '../support/test-app.ts';

const DAY_MS = 86_400_000;
let app: TestApp;
let peer: TestApp;
let keys: ReturnType<typeof kmsKeysOf>;

beforeAll(async () => {
  app = await testApp();
  peer = await app.peer();
  keys = kmsKeysOf(app);
});
afterEach(() => {
  app.clock.now = peer.clock.now = null;
});
afterAll(async () => {
  await peer.close();
  await app.close();
});

/** Both gateways' clocks, so many days ahead. */
function ahead(days: number): void {
  app.clock.now = peer.clock.now = new Date(Date.now() + days * DAY_MS);
}

const latest = async (identity: string) => (await keys.state(identity))?.latestVersion;

describe('rotation by schedule', () => {
  test('happens once, whichever gateways run it and however often, when it is due and not before', async () => {
    const identity = await keys.created({ rotationPeriodDays: 10 });
    ahead(9.9);
    await requestTask(app, 'rotate-due-keys');
    ahead(10.1);
    const events = await eventsOf(app, async () => {
      await Promise.all(Array.from({ length: 6 }, () => requestTask(app, 'rotate-due-keys')));
      await eventually(async () => (await latest(identity)) === '2');
      await idle();
    });
    expect(events).toMatchObject([
      {
        ...{ action: 'kms.rotateKey', outcome: 'SUCCESS', resource: identity, version: 2 },
        ...{ actor_subject: 'key-rotation', actor_issuer: 'strongroom' },
      },
    ]);
  });

  test('catches up after downtime with one rotation, and counts on from there', async () => {
    const identity = await keys.created({ rotationPeriodDays: 10 });
    ahead(95);
    await requestTask(app, 'rotate-due-keys');
    await eventually(async () => (await latest(identity)) === '2');
    await idle();
    const state = await keys.state(identity);
    expect(state?.latestVersion).toBe('2');
    const dueInMs = Date.parse(state?.nextRotationAt ?? '') - (app.clock.now?.getTime() ?? 0);
    expect(Math.abs(dueInMs - 10 * DAY_MS)).toBeLessThan(60_000);
  });

  test('leaves a disabled key alone until it is enabled', async () => {
    const identity = await keys.created({ rotationPeriodDays: 1 });
    await keys.change('disableKmsKey', { identity });
    ahead(2);
    await requestTask(app, 'rotate-due-keys');
    await idle();
    expect(await latest(identity)).toBe('1');
    await keys.change('enableKmsKey', { identity });
    await requestTask(app, 'rotate-due-keys');
    await eventually(async () => (await latest(identity)) === '2');
  });
});

describe('a key whose 30 days are over', () => {
  test('is gone with its material and told of in the log; one that was cancelled, or is not due, is there', async () => {
    const identity = await keys.created({ idempotencyKey: 'to be destroyed' });
    const cancelled = await keys.created();
    for (const one of [identity, cancelled]) await keys.change('scheduleKmsKeyDeletion', { identity: one });
    await keys.change('cancelKmsKeyDeletion', { identity: cancelled });
    ahead(29.9);
    await requestTask(app, 'destroy-scheduled-keys');
    await idle();
    expect(await keys.state(identity)).toMatchObject({ status: 'PENDING_DELETION' });
    ahead(30.1);
    const events = await eventsOf(app, async () => {
      await Promise.all(Array.from({ length: 4 }, () => requestTask(app, 'destroy-scheduled-keys')));
      await eventually(async () => (await keys.state(identity)) === null);
      await idle();
    });
    expect(events.filter(({ action }) => action === 'kms.destroyKey')).toMatchObject([
      { outcome: 'SUCCESS', resource: identity, actor_subject: 'key-deletion', details: { versions: '1' } },
    ]);
    const { rows } = await app.database.query(
      `SELECT FROM kms_key WHERE identity = $1 UNION ALL SELECT FROM kms_key_version WHERE kms_key_identity = $1
       UNION ALL SELECT FROM idempotency_record WHERE resource_id = $1`,
      [identity],
    );
    expect(rows).toEqual([]);
    expect(await keys.state(cancelled)).toMatchObject({ status: 'ACTIVE' });
  });

  test('waits for a secret past its recovery window, which is removed first', async () => {
    const identity = await keys.created();
    const { path } = await keys.secretUnder(identity);
    const remove = 'mutation ($i: DeleteSecretInput!) { deleteSecret(input: $i) { __typename } }';
    await app.raw(remove, { i: { path, recoveryWindowDays: 1 } });
    ahead(2);
    expect((await keys.change('scheduleKmsKeyDeletion', { identity })).kmsKey).toMatchObject({
      status: 'PENDING_DELETION',
    });
    ahead(33);
    await requestTask(app, 'destroy-scheduled-keys');
    await idle();
    expect(await keys.state(identity)).toMatchObject({ status: 'PENDING_DELETION' });
    const events = await eventsOf(app, async () => {
      await requestTask(app, 'purge-expired-secrets');
      await idle();
      await requestTask(app, 'destroy-scheduled-keys');
      await eventually(async () => (await keys.state(identity)) === null);
    });
    expect(events).toMatchObject([
      {
        action: 'secret.purge',
        resource: path,
        actor_subject: 'recovery-window',
        actor_issuer: 'strongroom',
      },
      { action: 'kms.destroyKey', resource: identity },
    ]);
    const { rows } = await app.database.query('SELECT FROM secret_version WHERE kms_key_identity = $1', [
      identity,
    ]);
    expect(rows).toEqual([]);
  });
});

test('what an idempotency key stood for is removed after 24 hours', async () => {
  await keys.created({ idempotencyKey: 'old' });
  const count = async () =>
    (await app.database.query('SELECT FROM idempotency_record WHERE key = $1', ['old'])).rowCount;
  await requestTask(app, 'forget-expired-results');
  await idle();
  expect(await count()).toBe(1);
  ahead(1.01);
  await requestTask(app, 'forget-expired-results');
  await eventually(async () => (await count()) === 0);
});

test('a task that fails is told in the log by its name, and the next run goes on', async () => {
  const identity = await keys.created({ rotationPeriodDays: 1 });
  ahead(2);
  await app.database.query('REVOKE INSERT ON kms_key_version FROM strongroom_service');
  await requestTask(app, 'rotate-due-keys');
  const told = () =>
    Promise.resolve(/"task":"rotate-due-keys".*background work failed/.test(app.logged() + peer.logged()));
  await eventually(told);
  await app.database.query('GRANT INSERT ON kms_key_version TO strongroom_service');
  expect(await latest(identity)).toBe('1');
  await requestTask(app, 'rotate-due-keys');
  await eventually(async () => (await latest(identity)) === '2');
});

/** Waits until no job is left that could run now. */
async function idle(): Promise<void> {
  await eventually(async () => {
    const { rows } = await app.database.query<{ busy: boolean }>(
      'SELECT EXISTS (SELECT FROM graphile_worker.jobs WHERE run_at <= now() AND attempts < max_attempts) AS busy',
    );
    return rows[0]?.busy === false;
  });
}
