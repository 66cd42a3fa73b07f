import { afterAll, beforeAll, expect, test } from 'vitest';
import { type TestApp, type TestCaller, testApp } from '../support/test-app.ts';

let app: TestApp;

beforeAll(async () => {
  app = await testApp();
});
afterAll(() => app.close());

const viewer = async (caller?: TestCaller) =>
  app.raw('{ viewer { subject issuer organisation project roles } }', {}, caller);

test('nobody without a verified token is a viewer', async () => {
  const body = JSON.stringify({ query: '{ viewer { subject } }' });
  for (const headers of [
    undefined,
    { authorization: 'Bearer MARKER' },
    { authorization: `Basic ${btoa('a:b')}` },
  ]) {
    const response = await app.post(body, headers);
    const text = await response.text();
    expect(response.status).toBe(401);
    expect(text).toContain('UNAUTHENTICATED');
    expect(text).not.toContain('MARKER');
  }
});

test('a viewer is who the token says, in organisation scope and in a project', async () => {
  const roles = ['secrets:ReadAccess', 'unknown-role'];
  expect((await viewer({ roles, subject: 'ann' })).data['viewer']).toMatchObject({
    ...{ subject: 'ann', organisation: 'acme', project: null, roles },
  });
  for (const caller of [
    { project: 'payments' },
    { projectHeader: 'payments' },
    { projects: ['a', 'payments'], projectHeader: 'payments' },
  ]) {
    expect((await viewer(caller)).data['viewer']).toMatchObject({
      organisation: 'acme',
      project: 'payments',
    });
  }
});

test('a header that the claims contradict is refused', async () => {
  for (const caller of [
    { project: 'payments', projectHeader: 'billing' },
    { projects: ['payments'], projectHeader: 'billing' },
    { projects: ['payments'] },
  ]) {
    const answer = await viewer(caller);
    expect(answer.status).toBe(403);
    expect(answer.errors?.[0]?.extensions['code']).toBe('PROJECT_MISMATCH');
  }
});
