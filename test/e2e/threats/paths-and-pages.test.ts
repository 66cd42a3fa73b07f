import { readFileSync } from 'node:fs';
import { buildSchema } from 'graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openStream } from '../../support/open-stream.ts';
import { documentOf, rootFields } from '../../support/schema-document.ts';
import { minimalVariables, type Place, placesOf, type Root } from '../../support/schema-inputs.ts';
import { type TestApp, testApp } from '../../support/test-app.ts';
import { makeThings, type Things } from '../../support/things.ts';

const schema = buildSchema(readFileSync(new URL('../../../schema.graphql', import.meta.url), 'utf8'));
const ROOTS = rootFields(schema);

let app: TestApp;
let things: Things;

beforeAll(async () => {
  app = await testApp();
  things = await makeThings(app, schema, { organisation: 'acme' });
});
afterAll(() => app.close());

async function ask(root: Root, variables: Record<string, unknown>) {
  const query = documentOf(schema, root, Object.keys(variables));
  if (root.operation !== 'subscription') return app.raw(query, variables);
  const stream = await openStream(app, query, variables, { authorization: `Bearer ${await app.token()}` });
  // What is let through follows on; a refusal is told at once, and ends.
  await stream.endsWithin(5_000);
  stream.drop();
  return { data: undefined, ...stream.results()[0] };
}

/** Where an answer says that the input is wrong: as data, or as an error where the field has no union. */
function refusedFields(answer: Pick<Awaited<ReturnType<typeof ask>>, 'data' | 'errors'>): readonly unknown[] {
  const told = (answer.errors ?? [])
    .filter(({ extensions }) => extensions['code'] === 'BAD_USER_INPUT')
    .map(({ extensions }) => extensions['field']);
  return [...told, ...inputErrorsIn(answer.data)];
}

function inputErrorsIn(value: unknown): readonly unknown[] {
  if (typeof value !== 'object' || value === null) return [];
  if ('code' in value && value.code === 'INVALID_INPUT') return 'field' in value ? [value.field] : [];
  return Object.values(value).flatMap(inputErrorsIn);
}

/** The names down to a place, as a refusal gives them: `putPolicy(input.statements[].name)` as input, statements, 0, name. */
function fieldOf({ title }: Place): readonly string[] {
  const inner = title.slice(title.indexOf('(') + 1, -1);
  return inner.replaceAll('[]', '.0').split('.');
}

/** All would be the secret of `things`, or a folder above it, for whoever mends a path instead of refusing it. */
const disguises = ({ folder, path }: Things): readonly string[] => [
  ...[`${folder}/../${path.slice(1)}`, `${folder}/./live`, `${folder}/x/../live`, `${path}/..`, `${path}/.`],
  ...[`/${path}`, `${folder}//live`, `${path}/`, `${path}//`, path.slice(1), `.${path}`, `..${path}`],
  ...[
    path.replace('/live', '/%6cive'),
    path.replace('/live', '%2flive'),
    `${folder}/%2e%2e/live`,
    `${folder}/*`,
  ],
  ...[path.replaceAll('/', '\\'), `${folder}\\live`, `${path}\\..`, `${path}\0`, `${path}\0/x`, `${path}\n`],
  ...[
    ` ${path}`,
    `${path} `,
    `\t${path}`,
    `${path}\u00a0`,
    `\ufeff${path}`,
    `${path}\u200d`,
    `${path}\u202e`,
  ],
  ...[path.replace('/', '\uff0f'), path.replace('live', 'l\u0456ve'), path.replace('live', '\uff4cive')],
  ...[
    path.replace('live', 'li\u0301ve'),
    path.replace('live', 'live\u0301'),
    `${path}?`,
    `${path}#`,
    `${path};x`,
  ],
  ...[
    '',
    '.',
    '..',
    '/.',
    '/..',
    `${folder}/**`,
    `/${'a/'.repeat(32)}a`,
    `/${'a'.repeat(129)}`,
    `/${'a'.repeat(513)}`,
  ],
];

describe('a path that is not in its one form is refused, never mended', () => {
  const places = ROOTS.flatMap((root) =>
    placesOf(root)
      .filter(({ type }) => type === 'SecretPath' || type === 'FolderPath')
      .map((place) => [place.title, root, place] as const),
  );

  test('in every operation that takes one', () => {
    const titles = places.map(([title]) => title);
    for (const name of [
      'deleteSecret',
      'destroySecretVersion',
      'restoreSecret',
      'rollbackSecret',
      'folder',
      'secretEvents',
    ]) {
      expect(titles.join()).toContain(name);
    }
  });

  test.for(places)(
    '%s: "..", ".", per-cent signs, "//", a slash at the end, NUL, look-alikes, too many segments (CVE-2026-3605)',
    async ([, root, place]) => {
      for (const path of disguises(things)) {
        const answer = await ask(root, place.variables(things, path));
        expect([path, refusedFields(answer)]).toEqual([path, [fieldOf(place)]]);
      }
    },
  );
});

describe('no page is larger than a list allows', () => {
  const lists = ROOTS.filter(({ field }) => field.args.some(({ name }) => name === 'first'));

  test.for(lists.flatMap((root) => ['first', 'last'].map((size) => [root.field.name, size, root] as const)))(
    '%s(%s): 0, negative and more than 100 are refused, null is left out (OpenBao 2.6.1)',
    async ([, size, root]) => {
      const needed = minimalVariables(root, things);
      for (const number of [0, -1, 101, 2 ** 31 - 1, -(2 ** 31)]) {
        const answer = await ask(root, { ...needed, [size]: number });
        expect([number, refusedFields(answer)]).toEqual([number, [[size]]]);
      }
      for (const number of [2 ** 31, 1e300, 1.5, '10', true, [10]]) {
        const answer = await ask(root, { ...needed, [size]: number });
        expect([number, answer.data, answer.errors?.length]).toEqual([number, undefined, 1]);
      }
      const [unbound, plain] = [await ask(root, { ...needed, [size]: null }), await ask(root, needed)];
      expect(unbound.data).toEqual(plain.data);
      expect(plain.errors).toBeUndefined();
    },
  );
});
