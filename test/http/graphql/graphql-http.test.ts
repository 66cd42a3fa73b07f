import { serverAudits } from 'graphql-http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TestApp, testApp } from '../../support/test-app.ts';

let app: TestApp;
let authorization: string;

beforeAll(async () => {
  app = await testApp();
  authorization = `Bearer ${await app.token()}`;
});
afterAll(() => app.close());

const fetchFn = (url: string, init: RequestInit = {}) =>
  fetch(url, {
    ...init,
    headers: { ...(init.headers as Record<string, string> | undefined), authorization },
  });
const audits = serverAudits({ url: () => `${app.url}/graphql`, fetchFn });

/** These ask for what is refused on purpose: a query by GET ends in caches, histories and access logs. */
const BY_GET = ['5A70', 'D6D5', '6A70'];
const isByGet = ({ id }: { readonly id: string }) => BY_GET.includes(id);

describe('the audits of GraphQL over HTTP', () => {
  test('are all here', () => {
    expect(audits.length).toBeGreaterThan(50);
    expect(audits.filter(isByGet)).toHaveLength(BY_GET.length);
    for (const { name } of audits.filter(isByGet)) expect(name).toMatch(/^MAY .* GET/);
  });

  test.for(
    audits.filter((audit) => !isByGet(audit)).map(({ id, name, fn }) => [`${id} ${name}`, fn] as const),
  )('%s', async ([, audit]) => {
    const result = await audit();
    expect(result.status === 'ok' ? 'ok' : `${result.status}: ${result.reason}`).toBe('ok');
  });

  test('a query by GET, which a server MAY accept, is refused with 405 and Allow', async () => {
    const response = await fetchFn(`${app.url}/graphql?query=${encodeURIComponent('{ __typename }')}`);
    expect(response.status).toBe(405);
    expect(response.headers.get('allow')).toBe('POST');
    expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: 'METHOD_NOT_ALLOWED' } }] });
    for (const audit of audits.filter(isByGet)) expect((await audit.fn()).status).toBe('notice');
  });
});
