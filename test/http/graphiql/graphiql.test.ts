import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as doc from '../../e2e/documents.ts';
import { CHROMIUM_PATH, hasChromium, launchChromium, type Chromium } from '../../support/chromium.ts';
import { data, type TestApp, testApp } from '../../support/test-app.ts';

let app: TestApp;
let token: string;
let url: string;
let chromium: Chromium;

interface OpenedPage {
  readonly page: Page;
  readonly elsewhere: string[];
  readonly requests: string[];
  readonly bodies: Promise<string>[];
  readonly complaints: string[];
}

/** Opens the address with every request to another origin stopped and noted. */
async function openPage(address: string): Promise<OpenedPage> {
  const { origin } = new URL(address);
  const page = await chromium.context.newPage();
  const opened: OpenedPage = { page, elsewhere: [], requests: [], bodies: [], complaints: [] };
  await page.route('**/*', async (route) => {
    const to = new URL(route.request().url());
    if (to.origin === origin || to.protocol === 'data:' || to.protocol === 'blob:') return route.continue();
    opened.elsewhere.push(to.href);
    return route.abort();
  });
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== origin || request.url().startsWith('blob:')) return;
    const type = request.headers()['content-type']?.split(';')[0] ?? '';
    opened.requests.push(`${request.method()} ${new URL(request.url()).pathname} ${type}`.trim());
  });
  page.on('response', (response) => {
    // A stream that is stopped has no body to be read.
    const isStream = response.headers()['content-type']?.startsWith('text/event-stream');
    if (response.url().startsWith('http') && !isStream) opened.bodies.push(response.text());
  });
  page.on('console', (message) => {
    if (/Content Security Policy/i.test(message.text())) opened.complaints.push(message.text());
  });
  page.on('pageerror', (error) => opened.complaints.push(error.message));
  await page.goto(address);
  await page.locator('.graphiql-query-editor .view-lines').waitFor();
  return opened;
}

const headersText = async (page: Page) => {
  await page.getByRole('button', { name: 'Headers', exact: true }).click();
  const editor = page.locator('.graphiql-editor-tool .graphiql-editor:not(.hidden) .view-lines');
  return (await editor.innerText()).replaceAll('\u00a0', ' ').replace(/\s+/g, ' ');
};

const stored = (page: Page) => page.evaluate<string>('JSON.stringify({ ...localStorage })');

beforeAll(async () => {
  if (!hasChromium) return;
  app = await testApp();
  token = await app.token();
  url = `${app.url}/graphql`;
  chromium = await launchChromium();
}, 60_000);

afterAll(async () => {
  if (!hasChromium) return;
  await chromium[Symbol.asyncDispose]();
  await app.close();
});

const title = hasChromium ? 'GraphiQL' : `GraphiQL (skipped: there is no ${CHROMIUM_PATH})`;
describe.skipIf(!hasChromium)(title, { timeout: 60_000 }, () => {
  it('without a token offers an empty bearer header', async () => {
    const { page } = await openPage(url);
    await expect.poll(() => headersText(page), { timeout: 10_000 }).toContain('"Authorization": "Bearer "');
    await page.close();
  });

  it('talks to its own origin only, by POST, and keeps the token out of address and storage', async () => {
    const { page, elsewhere, requests, bodies, complaints } = await openPage(`${url}#token=${token}`);
    expect(page.url()).toBe(url);

    await page.getByRole('button', { name: /Execute query/ }).click();
    await page.getByText('"tester"').waitFor();
    await page.getByRole('button', { name: /Show Documentation Explorer/ }).click();
    await page.locator('.graphiql-doc-explorer').getByText('Query', { exact: true }).waitFor();
    await page.waitForTimeout(1_000); // GraphiQL writes its storage 500 ms after a change
    const screenshot = process.env['GRAPHIQL_SCREENSHOT'];
    if (screenshot) await page.screenshot({ path: screenshot });

    expect(elsewhere).toEqual([]);
    expect(complaints).toEqual([]);
    expect([...new Set(requests)]).toEqual(['GET /graphql', 'POST /graphql application/json']);
    expect((await Promise.all(bodies)).filter((body) => body.includes(token))).toEqual([]);
    expect(page.url()).toBe(url);
    expect(await stored(page)).toBe('{}');
    await expect.poll(() => headersText(page), { timeout: 10_000 }).toContain('"Authorization": "Bearer eyJ');

    await openTab(page, 'CreateSecret');
    await page.locator('.graphiql-query-editor').click();
    await page.keyboard.type('# edited');
    await page.waitForTimeout(1_000);
    await expect.poll(() => headersText(page), { timeout: 10_000 }).toContain('"Authorization": "Bearer eyJ');
    expect(page.url()).toBe(url);
    expect(await stored(page)).toBe('{}');

    await page.reload();
    await page.locator('.graphiql-query-editor .view-lines').waitFor();
    await expect.poll(() => headersText(page), { timeout: 10_000 }).toContain('"Authorization": "Bearer eyJ');
    await page.close();
  });

  it('follows changes of secrets while they happen, until it is stopped', async () => {
    const kmsKeyIdentity = (await app.gql(doc.KMS_KEYS, {})).data.kmsKeys?.nodes[0]?.identity ?? '';
    const { page, elsewhere, complaints } = await openPage(`${url}#token=${token}`);
    await openTab(page, 'Follow');
    const stop = page.getByRole('button', { name: /Stop query/ });
    const isFollowing = async () => {
      if (await stop.isVisible()) return true;
      await page.getByRole('button', { name: /Execute query/ }).click();
      return stop.isVisible();
    };
    await expect.poll(isFollowing, { timeout: 20_000, interval: 1_000 }).toBe(true);
    for (const path of ['/graphiql/first', '/graphiql/second']) {
      const value = { secretString: data('v') };
      await expect
        .poll(
          async () => {
            await app.gql(doc.CREATE, { input: { path, kmsKeyIdentity, value } });
            await app.gql(doc.PUT, { input: { path, value } });
            return page.locator('.graphiql-response').innerText();
          },
          { timeout: 10_000, interval: 500 },
        )
        .toContain(path);
    }
    await page.getByRole('button', { name: /Stop query/ }).click();
    await expect.poll(() => app.logged()).toContain('stream ended');
    expect([elsewhere, complaints]).toEqual([[], []]);
    await page.close();
  });
});

/** GraphiQL may take a first click on a tab for the beginning of dragging it. */
async function openTab(page: Page, name: string): Promise<void> {
  const tab = page.getByRole('tab', { name });
  const isSelected = async () => {
    await tab.click();
    return tab.getAttribute('aria-selected');
  };
  await expect.poll(isSelected, { timeout: 10_000, interval: 300 }).toBe('true');
  await expect.poll(() => page.locator('.graphiql-query-editor').innerText()).toContain(name);
}
