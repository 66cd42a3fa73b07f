import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { buildSchema } from 'graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { follow } from '../../support/follow.ts';
import { eventually } from '../../support/eventually.ts';
import { type OpenStream, openStream } from '../../support/open-stream.ts';
import { documentOf, rootFields } from '../../support/schema-document.ts';
import { type Reference, referencesOf, type Root } from '../../support/schema-inputs.ts';
import { type Stranger, strangers } from '../../support/strangers.ts';
import { ADMIN, data, type TestApp, type TestCaller, testApp } from '../../support/test-app.ts';
import { absentTwin, makeThings, sampleThings, type Things, withoutNames } from '../../support/things.ts';
import * as doc from '../documents.ts';

/** As absence.test.ts, for what does not answer once: every subscription, while what is hidden changes. */
const schema = buildSchema(readFileSync(new URL('../../../schema.graphql', import.meta.url), 'utf8'));
const ROOTS = rootFields(schema).filter(({ operation }) => operation === 'subscription');

let app: TestApp;
let theirs: Things;
let projects: Things;
const STRANGERS = strangers(
  () => theirs,
  () => projects,
);

beforeAll(async () => {
  app = await testApp();
  theirs = await withCursors({ organisation: 'acme' });
  projects = await withCursors({ organisation: 'acme', project: 'web' });
});
afterAll(() => app.close());

/** One of everything in a scope, and a cursor of its stream. */
async function withCursors(scope: TestCaller): Promise<Things> {
  const things = await makeThings(app, schema, scope);
  const stream = await follow({ url: app.url, token: await app.token({ ...ADMIN, ...scope }) });
  await change(things);
  const event = await eventually(() => Promise.resolve(stream.events[0]));
  stream.drop();
  const places = ROOTS.map(({ field }) => [field.name, { owner: 'place', value: event.cursor }] as const);
  return { ...things, cursors: new Map([...things.cursors, ...places]) };
}

/** What the owner does to what is hidden: a new version, and a secret that comes and goes. */
async function change({ folder, path, keyIdentity, scope }: Things): Promise<void> {
  const [owner, value] = [
    { ...ADMIN, ...scope },
    { secretKeyValues: [{ key: 'password', value: data('v') }] },
  ];
  const input = { path: `${folder}/new/${randomUUID()}`, kmsKeyIdentity: keyIdentity, value };
  for (const answer of [
    await app.raw(doc.PUT, { input: { path, value } }, owner),
    await app.raw(doc.CREATE, { input }, owner),
    await app.raw(doc.DELETE, { input: { path: input.path } }, owner),
  ]) {
    if (answer.errors || answer.text.includes('"code"')) throw new Error(answer.text);
  }
}

/** Each stream is of a caller of its own, so that none is one too many. */
async function open(root: Root, variables: Record<string, unknown>, caller: TestCaller | null) {
  const query = documentOf(schema, root, Object.keys(variables));
  const by = caller && { ...caller, subject: `follower-${randomUUID()}` };
  const headers: Record<string, string> = by ? { authorization: `Bearer ${await app.token(by)}` } : {};
  return openStream(app, query, variables, headers);
}

/** Makes changes, and waits until everybody who follows was told of them. */
async function changeAndHear(scopes: readonly Things[]): Promise<void> {
  for (const things of scopes) {
    const owner = await app.token({ ...ADMIN, ...things.scope });
    const stream = await follow({ url: app.url, token: owner });
    await change(things);
    await stream.have(3);
    stream.drop();
  }
  // The others were woken together with the owner's stream.
  await sleep(150);
}

const sample = {
  ...sampleThings(schema),
  cursors: new Map(ROOTS.map(({ field }) => [field.name, { owner: 'place', value: 'sample' }] as const)),
};

/** Where a stranger can name what is hidden from it. */
const placesFor = ({ hidden }: Stranger): readonly (readonly [Root, Reference])[] =>
  ROOTS.flatMap((root) =>
    referencesOf(root).flatMap((reference) =>
      reference.names(sample).some(({ owner }) => hidden.includes(owner)) ? [[root, reference] as const] : [],
    ),
  );

/** What a stream tells, without what is new in each. */
function told(stream: OpenStream, { mark }: Things) {
  const headers = [...stream.headers.keys()].sort();
  const results = withoutNames(stream.results(), [mark]);
  const ends = stream.text().endsWith('event: complete\ndata:\n\n');
  return { status: stream.status, headers, results, ends };
}

test('every subscription is here, and every place in it where something can be named', () => {
  const titles = ROOTS.flatMap(referencesOf).map(({ title }) => title);
  expect(titles).toEqual(expect.arrayContaining(['secretEvents(pathPrefix)', 'secretEvents(after)']));
});

test('the owner is told what is hidden from others, and nothing below what is not there', async () => {
  for (const [root, { names, variables }] of placesFor(STRANGERS[0] as Stranger)) {
    for (const { owner, value } of names(theirs)) {
      const [there, absent] = [
        await open(root, variables(theirs, value), { ...ADMIN, ...theirs.scope }),
        await open(root, variables(theirs, absentTwin(value, theirs)), { ...ADMIN, ...theirs.scope }),
      ];
      await changeAndHear([theirs]);
      expect(there.results().length).toBeGreaterThanOrEqual(3);
      expect(JSON.stringify(there.results())).not.toContain('errors');
      const nothing = owner === 'place' ? ['BAD_USER_INPUT'] : [];
      expect(absent.results().map(({ errors }) => errors?.[0]?.extensions['code'])).toEqual(nothing);
      for (const stream of [there, absent]) stream.drop();
    }
  }
});

describe.for(STRANGERS.filter((each) => placesFor(each).length > 0).map((each) => [each.who, each] as const))(
  'to %s, what changes out of sight and what is not there are one (CVE-2026-40264, CVE-2023-24999)',
  ([, stranger]) => {
    test.for(placesFor(stranger).map(([root, reference]) => [reference.title, root, reference] as const))(
      '%s',
      async ([, root, { names, variables }]) => {
        const hidden = stranger.theirs();
        const pairs = [];
        for (const { owner, value } of names(hidden)) {
          if (!stranger.hidden.includes(owner)) continue;
          const ask = (named: string) => open(root, variables(hidden, named), stranger.caller());
          pairs.push({ value, there: await ask(value), absent: await ask(absentTwin(value, hidden)) });
        }
        expect(pairs.length).toBeGreaterThan(0);
        await changeAndHear([theirs, projects]);
        for (const { value, there, absent } of pairs) {
          expect(told(there, hidden), `${root.field.name} tells of ${value}`).toEqual(told(absent, hidden));
          expect(there.status).toBe(stranger.caller() ? 200 : 401);
          expect(JSON.stringify(there.results())).not.toContain('"cursor":');
          for (const stream of [there, absent]) stream.drop();
        }
      },
    );
  },
);

test('whoever goes on from a place in its own scope without rights is told nothing of what follows', async () => {
  const deaf = STRANGERS.filter(({ hidden }) => hidden.includes('secret') && !hidden.includes('place'));
  expect(deaf.length).toBeGreaterThan(1);
  for (const root of ROOTS) {
    const after = theirs.cursors.get(root.field.name)?.value;
    const streams = await Promise.all(deaf.map(({ caller }) => open(root, { after }, caller())));
    await changeAndHear([theirs]);
    for (const stream of streams) {
      expect([stream.status, stream.text().replaceAll(':\n\n', '')]).toEqual([200, '']);
      stream.drop();
    }
  }
});
