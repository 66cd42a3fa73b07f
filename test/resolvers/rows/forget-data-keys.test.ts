import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SecretBytes } from '../../../src/kms/envelope/secret-bytes.ts';
import { KeyCache } from '../../../src/kms/keys/key-cache.ts';
import { systemContext } from '../../../src/resolvers/context/system-context.ts';
import { EventDraft } from '../../../src/resolvers/operation/event-draft.ts';
import { operate } from '../../../src/resolvers/operation/operate.ts';
import { forgetDataKeys } from '../../../src/resolvers/rows/forget-data-keys.ts';
import { type TestApp, testApp } from '../../support/test-app.ts';

let app: TestApp;
beforeAll(async () => {
  app = await testApp();
});
afterAll(() => app.close());

test('the gateway that destroys has forgotten when the operation ends, without being told by the database', async () => {
  const [opened] = app.app.regions;
  if (!opened) throw new Error('There is no region.');
  // A cache that hears no notification.
  const keyCache = new KeyCache();
  const region = { ...opened, keyCache };
  const keep = async (owner: string) => {
    const key = new SecretBytes(randomBytes(32));
    await keyCache.use(
      owner,
      owner,
      () => key,
      () => null,
    );
    return key;
  };
  const [gone, ...kept] = [await keep('acme/kms-1'), await keep('acme/kms-2'), await keep('globex/kms-1')];
  const scope = { organisation: 'acme', project: '' };
  const ctx = systemContext(region, scope, 'recovery-window', () => new Date());
  await operate(
    ctx,
    region,
    () => new EventDraft('secret.purge', 'secret'),
    async (operation) => {
      await forgetDataKeys(operation, { organisation: 'acme', kmsKeyIdentity: 'kms-1' });
      expect(keyCache.size).toBe(3);
    },
  );
  const isZero = (key: SecretBytes) => key.reveal().every((byte) => byte === 0);
  expect(isZero(gone)).toBe(true);
  expect(kept.map(isZero)).toEqual([false, false]);
  keyCache.close();
});
