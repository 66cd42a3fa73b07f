import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { eventsOf } from '../../support/audit-events.ts';
import { KEY_CHANGES, type KeyChange, kmsKeysOf } from '../../support/kms-keys.ts';
import { type TestApp, testApp } from '../../support/test-app.ts';

let app: TestApp;
let keys: ReturnType<typeof kmsKeysOf>;

beforeAll(async () => {
  app = await testApp();
  keys = kmsKeysOf(app);
});
afterEach(() => {
  app.clock.now = null;
});
afterAll(() => app.close());

const FIELDS = Object.keys(KEY_CHANGES) as KeyChange[];
const inputFor = (field: KeyChange, identity: string) => ({
  identity,
  ...(field === 'setKmsKeyRotation' && { rotationPeriodDays: 30 }),
});

describe.each(FIELDS)('%s', (field) => {
  const { permission, action } = KEY_CHANGES[field];

  test('needs its right; without KMS_KEY_READ a key that is there answers like one that is not', async () => {
    const identity = await keys.created();
    const reader = { roles: ['kms:ReadAccess'] };
    const events = await eventsOf(app, async () => {
      expect(await keys.change(field, inputFor(field, identity), reader)).toMatchObject({
        ...{ code: 'ACCESS_DENIED', permission },
      });
      const nobody = { roles: ['secrets:ValueAccess'] };
      const hidden = await keys.change(field, inputFor(field, identity), nobody);
      const missing = await keys.change(field, inputFor(field, 'kms-0000'), nobody);
      expect(hidden).toMatchObject({ code: 'NOT_FOUND' });
      expect(hidden).toEqual(missing);
    });
    expect(events).toMatchObject([
      { action, outcome: 'DENIED', resource: identity, details: { permission } },
      { action, outcome: 'DENIED', resource: identity, details: { permission } },
      { action, outcome: 'FAILED', error_code: 'NOT_FOUND', resource: 'kms-0000' },
    ]);
    expect(await keys.state(identity)).toMatchObject({ status: 'ACTIVE', latestVersion: '1' });
  });

  test('finds no key of another project or organisation, nor one past all limits', async () => {
    const identity = await keys.created();
    for (const stranger of [{ project: 'payments' }, { organisation: 'globex' }]) {
      const caller = { roles: ['strongroom:admin'], ...stranger };
      expect(await keys.change(field, inputFor(field, identity), caller)).toMatchObject({
        code: 'NOT_FOUND',
      });
    }
    expect(await keys.change(field, inputFor(field, 'x'.repeat(10_000)))).toMatchObject({
      code: 'NOT_FOUND',
    });
    expect(await keys.change(field, inputFor(field, 'a\u0000b'))).toMatchObject({
      ...{ code: 'INVALID_INPUT', field: ['input', 'identity'] },
    });
  });

  test('refuses an unknown region by its field, and records nothing', async () => {
    const events = await eventsOf(app, async () => {
      const answer = await keys.change(field, { ...inputFor(field, 'kms-0'), region: 'MARKER' });
      expect(answer).toMatchObject({ code: 'INVALID_INPUT', field: ['input', 'region'] });
      expect(JSON.stringify(answer)).not.toContain('MARKER');
    });
    expect(events).toEqual([]);
  });

  test('hides the key in its answer from a caller who may change it and not read it', async () => {
    // Of the built-in roles none has the one right without the other: what it answers is shown by the rest.
    const identity = await keys.created();
    const answer = await keys.change(field, inputFor(field, identity), { roles: ['kms:FullAccess'] });
    expect(answer).toMatchObject({ __typename: 'KmsKeyPayload', kmsKey: { identity } });
  });
});

describe('a rotation', () => {
  test('adds a version that seals what comes; what was sealed before opens as before', async () => {
    const identity = await keys.created();
    const { path } = await keys.secretUnder(identity, 'first');
    const events = await eventsOf(app, () => keys.change('rotateKmsKey', { identity }));
    expect(events).toMatchObject([
      { action: 'kms.rotateKey', outcome: 'SUCCESS', resource: identity, version: 2 },
    ]);
    expect(await keys.put(path, 'second')).toMatchObject({ version: { number: 2, kmsKeyVersion: '2' } });
    expect(await keys.read(path, 1)).toBe('first');
    expect(await keys.read(path)).toBe('second');
    expect((await keys.state(identity))?.versions.nodes).toEqual([
      { version: '2', secretVersionCount: 1 },
      { version: '1', secretVersionCount: 1 },
    ]);
  });

  test('of one key by many at once gives each its own version', async () => {
    const identity = await keys.created();
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => keys.change('rotateKmsKey', { identity })),
    );
    const versions = answers.map(({ kmsKey }) => Number(kmsKey?.latestVersion)).sort((a, b) => a - b);
    expect(versions).toEqual([2, 3, 4, 5, 6, 7, 8, 9]);
  });

  test.each(['disableKmsKey', 'scheduleKmsKeyDeletion'] as const)('is refused after %s', async (before) => {
    const identity = await keys.created();
    await keys.change(before, { identity });
    expect(await keys.change('rotateKmsKey', { identity })).toMatchObject({
      ...{ code: 'KEY_UNAVAILABLE', kmsKeyIdentity: identity },
    });
    expect(await keys.state(identity)).toMatchObject({ latestVersion: '1' });
  });
});

describe('a rotation period', () => {
  test.each([0, -1, 3651])('of %d days is refused', async (rotationPeriodDays) => {
    const identity = await keys.created();
    expect(await keys.change('setKmsKeyRotation', { identity, rotationPeriodDays })).toMatchObject({
      ...{ code: 'INVALID_INPUT', field: ['input', 'rotationPeriodDays'] },
    });
  });

  test('that is left out is refused: null turns it off, and nothing may by oversight', async () => {
    const identity = await keys.created({ rotationPeriodDays: 7 });
    expect(await keys.change('setKmsKeyRotation', { identity })).toMatchObject({
      ...{ code: 'INVALID_INPUT', field: ['input', 'rotationPeriodDays'] },
    });
    expect(await keys.state(identity)).toMatchObject({ rotationPeriodDays: 7 });
    const off = await keys.change('setKmsKeyRotation', { identity, rotationPeriodDays: null });
    expect(off.kmsKey).toMatchObject({
      rotationEnabled: false,
      rotationPeriodDays: null,
      nextRotationAt: null,
    });
  });

  test.each([1, 3650])('of %d days counts from now, and is recorded', async (rotationPeriodDays) => {
    const identity = await keys.created();
    const at = new Date('2031-05-01T12:00:00.000Z');
    app.clock.now = at;
    const events = await eventsOf(app, () =>
      keys.change('setKmsKeyRotation', { identity, rotationPeriodDays }),
    );
    app.clock.now = null;
    expect(events).toMatchObject([{ details: { rotationPeriodDays: String(rotationPeriodDays) } }]);
    expect(await keys.state(identity)).toMatchObject({
      rotationEnabled: true,
      rotationPeriodDays,
      nextRotationAt: new Date(at.getTime() + rotationPeriodDays * 86_400_000).toISOString(),
    });
  });
});

describe('a disabled key', () => {
  test('opens and seals nothing, and all again once it is enabled', async () => {
    const identity = await keys.created();
    const { path } = await keys.secretUnder(identity, 'kept');
    for (let times = 0; times < 2; times++) {
      expect((await keys.change('disableKmsKey', { identity })).kmsKey).toMatchObject({ status: 'DISABLED' });
    }
    expect(await keys.read(path)).toBe('KEY_UNAVAILABLE');
    expect(await keys.put(path, 'other')).toMatchObject({ code: 'KEY_UNAVAILABLE' });
    await expect(keys.secretUnder(identity)).rejects.toThrow();
    expect(await keys.rewrap(identity)).toMatchObject({ code: 'KEY_UNAVAILABLE' });
    for (let times = 0; times < 2; times++) {
      expect((await keys.change('enableKmsKey', { identity })).kmsKey).toMatchObject({ status: 'ACTIVE' });
    }
    expect(await keys.read(path)).toBe('kept');
  });
});

describe('a deletion', () => {
  test('is refused while a live secret depends on the key, and says how many do', async () => {
    const identity = await keys.created();
    await keys.secretUnder(identity);
    await keys.secretUnder(identity);
    const events = await eventsOf(app, async () => {
      expect(await keys.change('scheduleKmsKeyDeletion', { identity })).toMatchObject({
        ...{ __typename: 'KeyInUseError', code: 'KEY_IN_USE', kmsKeyIdentity: identity, secretCount: 2 },
      });
    });
    expect(events).toMatchObject([
      { action: 'kms.scheduleDeletion', outcome: 'FAILED', error_code: 'KEY_IN_USE' },
    ]);
    expect(await keys.state(identity)).toMatchObject({ status: 'ACTIVE' });
  });

  test('is refused while a secret waits in its recovery window, and not once that is over', async () => {
    const identity = await keys.created();
    const { path } = await keys.secretUnder(identity);
    const remove = `mutation ($input: DeleteSecretInput!) { deleteSecret(input: $input) { __typename } }`;
    await app.raw(remove, { input: { path, recoveryWindowDays: 7 } });
    expect(await keys.change('scheduleKmsKeyDeletion', { identity })).toMatchObject({ secretCount: 1 });
    app.clock.now = new Date(Date.now() + 8 * 86_400_000);
    const answer = await keys.change('scheduleKmsKeyDeletion', { identity });
    app.clock.now = null;
    expect(answer.kmsKey).toMatchObject({ status: 'PENDING_DELETION' });
  });

  test('is set for 30 days from now, stays where it is when asked for again, and can be cancelled', async () => {
    const identity = await keys.created();
    const at = new Date('2031-05-01T12:00:00.000Z');
    app.clock.now = at;
    const due = '2031-05-31T12:00:00.000Z';
    const first = await keys.change('scheduleKmsKeyDeletion', { identity });
    expect(first.kmsKey).toMatchObject({ status: 'PENDING_DELETION', deletionScheduledAt: due });
    app.clock.now = new Date(at.getTime() + 86_400_000);
    const second = await keys.change('scheduleKmsKeyDeletion', { identity });
    expect(second.kmsKey).toMatchObject({ deletionScheduledAt: due });
    for (const field of ['enableKmsKey', 'disableKmsKey'] as const) {
      expect(await keys.change(field, { identity })).toMatchObject({ code: 'KEY_UNAVAILABLE' });
    }
    await expect(keys.secretUnder(identity)).rejects.toThrow();
    const events = await eventsOf(app, async () => {
      const { kmsKey } = await keys.change('cancelKmsKeyDeletion', { identity });
      expect(kmsKey).toMatchObject({ status: 'ACTIVE', deletionScheduledAt: null });
    });
    expect(events).toMatchObject([{ action: 'kms.cancelDeletion', outcome: 'SUCCESS', resource: identity }]);
    app.clock.now = null;
    await keys.secretUnder(identity);
  });

  test('that is cancelled leaves a disabled key disabled', async () => {
    const identity = await keys.created();
    await keys.change('disableKmsKey', { identity });
    await keys.change('scheduleKmsKeyDeletion', { identity });
    expect((await keys.change('cancelKmsKeyDeletion', { identity })).kmsKey).toMatchObject({
      status: 'DISABLED',
    });
  });

  test('at the same moment as a create: the secret is there, or the deletion is, never both', async () => {
    for (let round = 0; round < 15; round++) {
      const identity = await keys.created();
      const [scheduled, ...made] = await Promise.all([
        keys.change('scheduleKmsKeyDeletion', { identity }),
        ...Array.from({ length: 3 }, () =>
          keys.secretUnder(identity).then(
            () => true,
            () => false,
          ),
        ),
      ]);
      const isScheduled = scheduled.kmsKey?.status === 'PENDING_DELETION';
      expect(isScheduled || scheduled.code === 'KEY_IN_USE').toBe(true);
      if (isScheduled) expect(made).toEqual([false, false, false]);
      const { rows } = await app.database.query<{ n: number }>(
        'SELECT count(*)::int AS n FROM secret WHERE kms_key_identity = $1',
        [identity],
      );
      expect(rows[0]?.n).toBe(made.filter(Boolean).length);
    }
  });
});
