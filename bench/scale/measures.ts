import { randomInt, randomUUID } from 'node:crypto';
import { pathKey } from '../../src/policy/secret-path.ts';
import { encodeCursor } from '../../src/resolvers/input/parse-page.ts';
import type { Answer } from './connection.ts';
import { ABOVE, BESIDE, COMMON_LABEL, FLAT, RARE_LABEL, type Tree } from './tree.ts';

/** An administrator, and two who see 1 %: by literal prefixes, and by a pattern with a star in the middle. */
export type Caller = 'admin' | 'auditor' | 'starred';

/** What is asked again and again, and how long it takes. */
export interface Measure {
  readonly name: string;
  readonly caller: Caller;
  readonly query: string;
  /** Of one request; each chooses anew where it can. */
  variables(tree: Tree): unknown;
  /** Whether the answer is what was asked for. */
  holds(answer: Answer): boolean;
}

const PAGE = 20;
const ALL: readonly Caller[] = ['admin', 'auditor', 'starred'];
const MOST: readonly Caller[] = ['admin', 'auditor'];

const READ = `query ($input: GetSecretValueInput!) { getSecretValue(input: $input) {
  ... on SecretValue { path secretString version } ... on UserError { code message } } }`;
const PUT = `mutation ($input: PutSecretValueInput!) { putSecretValue(input: $input) {
  ... on SecretVersionPayload { version { number } } ... on UserError { code message } } }`;
const FOLDER = `query ($path: FolderPath!, $after: String) { folder(path: $path) {
  children(first: ${PAGE}, after: $after) {
    nodes { __typename path name ... on Secret { currentVersion labels { key value } updatedAt } }
    pageInfo { hasNextPage endCursor } } } }`;
const LIST = `query ($filter: SecretFilter, $orderBy: SecretOrder, $after: String) {
  secrets(first: ${PAGE}, filter: $filter, orderBy: $orderBy, after: $after) {
    nodes { id path currentVersion labels { key value } createdAt updatedAt }
    pageInfo { hasNextPage endCursor } } }`;

export const MEASURES: readonly Measure[] = [
  {
    ...{ name: 'read a value', caller: 'admin', query: READ },
    variables: (tree) => ({ input: { path: anyPath(tree) } }),
    holds: ({ secretString }) => typeof secretString === 'string' && secretString !== '',
  },
  {
    ...{ name: 'put a value', caller: 'admin', query: PUT },
    variables: (tree) => ({ input: { path: anyPath(tree), value: { secretString: VALUE } } }),
    holds: ({ version }) => version !== undefined,
  },
  ...each(ALL, 'folder above huge subtrees', FOLDER, () => ({ path: ABOVE })),
  ...each(MOST, 'folder beside a huge subtree', FOLDER, () => ({ path: BESIDE })),
  {
    ...{ name: 'huge flat folder', caller: 'admin', query: FOLDER },
    variables: (tree) => ({ path: FLAT, after: anyChild(tree) }),
    holds: isFullPage,
  },
  ...each(ALL, 'list by path below a folder', LIST, (tree) => ({
    filter: { pathPrefix: ABOVE },
    after: anyPosition(tree),
  })),
  ...each(MOST, 'list by path, common label', LIST, (_, caller) => ({
    filter: { labels: [caller === 'admin' ? COMMON_LABEL : { key: 'environment', value: 'prod' }] },
  })),
  ...each(MOST, 'list by path, rare label', LIST, () => ({ filter: { labels: [RARE_LABEL] } })),
  ...each(ALL, 'list by time of change', LIST, () => ({ orderBy: LATEST })),
];

const VALUE = Buffer.from('a value that was put by the benchmark').toString('base64');
const LATEST = { field: 'UPDATED_AT', direction: 'DESC' };

function each(
  callers: readonly Caller[],
  name: string,
  query: string,
  variables: (tree: Tree, caller: Caller) => unknown,
): Measure[] {
  return callers.map((caller) => ({
    ...{ name, caller, query },
    variables: (tree) => variables(tree, caller),
    holds: isFullPage,
  }));
}

function isFullPage(answer: Answer): boolean {
  const { nodes } = (answer['children'] ?? answer) as { nodes?: unknown[] };
  return nodes?.length === PAGE;
}

function anyPath(tree: Tree): string {
  return tree.at(randomInt(tree.size)).path;
}

/** A cursor in the flat folder with a page behind it. */
function anyChild(tree: Tree): string {
  const last = Math.floor(tree.size * 0.3) - PAGE - 2;
  const name = `token-${String(randomInt(last)).padStart(7, '0')}`;
  return encodeCursor(`folder:${FLAT}`, [pathKey(`${FLAT}/${name}`)]);
}

/** A cursor in the list by path, in the teams of the first half. */
function anyPosition(tree: Tree): string {
  for (;;) {
    const path = anyPath(tree);
    if (path.startsWith(`${ABOVE}/`) && path < `${ABOVE}/team-18`)
      return encodeCursor('secrets:PATH:ASC', [pathKey(path), randomUUID()]);
  }
}
