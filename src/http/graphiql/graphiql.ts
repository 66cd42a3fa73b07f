import { createHash } from 'node:crypto';
import { renderGraphiQL } from '@graphql-yoga/render-graphiql';
import { GRAPHIQL_TABS } from './tabs.ts';

/** The page of GraphiQL and the headers that it must be served with. */
export interface GraphiqlPage {
  readonly html: string;
  readonly headers: Readonly<Record<string, string>>;
}

const ICON =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" width="24" height="24" fill="none" stroke="#4a6fa5" ' +
  'stroke-width="2"><rect x="4" y="10" width="16" height="11" rx="2"/><path d="M8 10V7a4 4 0 0 1 8 0v3"/></svg>';

// Runs before GraphiQL, which writes each tab's variables, thus values, into localStorage (and headers too where its
// history plugin is on); so it gets a storage in memory. Its own onEditQuery would put the query into the address.
const BOOT = `(() => {
  const slot = 'strongroom:token';
  const take = () => {
    const token = /^#token=([A-Za-z0-9._-]+)$/.exec(location.hash)?.[1];
    if (location.hash.startsWith('#token=')) history.replaceState(null, '', location.pathname + location.search);
    if (token) sessionStorage.setItem(slot, token);
    return token !== undefined;
  };
  take();
  addEventListener('hashchange', () => { if (take()) location.reload(); });
  const items = new Map();
  const storage = {
    getItem: (key) => items.get(key) ?? null,
    setItem: (key, value) => { items.set(key, String(value)); },
    removeItem: (key) => { items.delete(key); },
    clear: () => { items.clear(); },
    get length() { return items.size; },
  };
  globalThis.strongroomGraphiQL = (options) => ({
    ...options,
    storage,
    onEditQuery: () => {},
    headers: JSON.stringify({ Authorization: 'Bearer ' + (sessionStorage.getItem(slot) ?? '') }, null, 2),
  });
})();`;

let page: GraphiqlPage | undefined;

/**
 * GraphiQL as one self-contained page of about 9 MB, made once. It asks only its own origin, by POST to `/graphql`.
 *
 * The page holds no token: its script takes one from the fragment (`/graphql#token=eyJ...`, which no browser sends),
 * removes it from the address and keeps it in sessionStorage, so that a reload of that tab survives and nothing else
 * sees it. Throws when the package renders another page than the one that this was written for.
 */
export function graphiqlPage(): GraphiqlPage {
  return (page ??= render());
}

function render(): GraphiqlPage {
  const options = {
    endpoint: '/graphql',
    method: 'POST',
    credentials: 'omit',
    title: 'Strongroom',
    logo: ICON,
    favicon: `data:image/svg+xml,${encodeURIComponent(ICON)}`,
    shouldPersistHeaders: false,
    defaultEditorToolsVisibility: 'variables',
    defaultTabs: GRAPHIQL_TABS,
  } satisfies Parameters<typeof renderGraphiQL>[0];
  const rendered = renderGraphiQL(options);
  const json = JSON.stringify(options);
  const head = '<meta charset="utf-8" />';
  const html = replaceOnce(
    replaceOnce(rendered.trimStart(), json, `strongroomGraphiQL(${json})`),
    head,
    `${head}\n<script>${BOOT}</script>`,
  );
  return { html, headers: headersFor(html) };
}

function replaceOnce(text: string, what: string, by: string): string {
  const parts = text.split(what);
  if (parts.length !== 2) throw new Error('@graphql-yoga/render-graphiql renders an unknown page');
  return parts.join(by);
}

function headersFor(html: string): Readonly<Record<string, string>> {
  const scripts = [...html.matchAll(/<script>(.*?)<\/script>/gs)].map(([, script = '']) => script);
  if (scripts.length !== 2) throw new Error('@graphql-yoga/render-graphiql renders an unknown page');
  const hashes = scripts.map((script) => `'sha256-${createHash('sha256').update(script).digest('base64')}'`);
  return Object.freeze({
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'no-store',
    'content-security-policy': [
      "default-src 'none'",
      `script-src ${hashes.join(' ')}`,
      "style-src 'unsafe-inline'", // Monaco makes its style sheets at run time
      "connect-src 'self'",
      'worker-src blob:',
      'font-src data:',
      'img-src data:',
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
    ].join('; '),
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
  });
}
