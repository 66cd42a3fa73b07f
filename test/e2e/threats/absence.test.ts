import { readFileSync } from 'node:fs';
import { buildSchema } from 'graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { documentOf, rootFields } from '../../support/schema-document.ts';
import { minimalVariables, referencesOf, type Root } from '../../support/schema-inputs.ts';
import { ADMIN, type TestApp, type TestCaller, testApp } from '../../support/test-app.ts';
import { type Stranger, strangers } from '../../support/strangers.ts';
import {
  absentTwin,
  makeThings,
  ownerOfNode,
  sampleThings,
  type Things,
  withoutNames,
} from '../../support/things.ts';

/** Everything here is generated from what is published: a field that comes is tested, and needs no line here. */
const schema = buildSchema(readFileSync(new URL('../../../schema.graphql', import.meta.url), 'utf8'));
const contract = buildSchema(readFileSync(new URL('../../contract.graphql', import.meta.url), 'utf8'));
const FIELDS = rootFields(schema);
const ROOTS = FIELDS.filter(({ operation }) => operation !== 'subscription');
const sample = sampleThings(schema);

let app: TestApp;
/** What is to be hidden: of the organisation acme, and of its project web. */
let theirs: Things;
let projects: Things;
/** Of nobody who asks: names that are in order, where a caller without rights has nothing of its own. */
let nothing: Things;
let serial = 0;

const STRANGERS = strangers(
  () => theirs,
  () => projects,
);

/** What the queries tell those to whom all is hidden, before there is anything and after. */
const censuses = new Map<string, readonly unknown[][]>();
let state: unknown;

beforeAll(async () => {
  app = await testApp();
  nothing = await makeThings(app, schema, { organisation: 'nothing' });
  const before = new Map<string, unknown[]>();
  for (const stranger of STRANGERS) before.set(stranger.who, await census(stranger));
  theirs = await makeThings(app, schema, { organisation: 'acme' });
  projects = await makeThings(app, schema, { organisation: 'acme', project: 'web' });
  for (const stranger of STRANGERS) {
    censuses.set(stranger.who, [before.get(stranger.who) ?? [], await census(stranger)]);
  }
  state = await stateOfTheirs();
});
afterAll(() => app.close());

interface Told {
  readonly status: number;
  readonly headers: readonly string[];
  readonly body: unknown;
}

/** What an answer tells, without what is new in every answer. `caller` null: without a token. */
async function told(
  root: Root,
  variables: Record<string, unknown>,
  caller: TestCaller | null,
  marks: readonly string[],
): Promise<Told> {
  const query = documentOf(schema, root, Object.keys(variables));
  const authorization: Record<string, string> = caller
    ? { authorization: `Bearer ${await app.token(caller)}` }
    : {};
  const response = await app.post(JSON.stringify({ query, variables }), authorization);
  const body: unknown = JSON.parse(await response.text());
  const headers = [...response.headers.keys()].sort();
  return { status: response.status, headers, body: withoutNames(body, marks) };
}

/** A scope with one of everything in it for whoever can have one: what is asked for beside the hidden thing is in order. */
async function ownOf(caller: TestCaller | null): Promise<Things> {
  if (!caller?.roles?.includes('strongroom:admin')) return nothing;
  return makeThings(app, schema, { organisation: caller.organisation, project: caller.project }, true);
}

async function census(stranger: Stranger): Promise<unknown[]> {
  const caller = stranger.caller();
  const own = await ownOf(caller);
  const answers: unknown[] = [];
  for (const root of ROOTS.filter(({ operation }) => operation === 'query')) {
    // Policies of the organisation, which come meanwhile, are listed in its projects by design. An event's place in the
    // chain is one in the whole organisation's: a project's auditor learns how many events there are, and nothing of them.
    if (!caller?.project || !/polic|audit/i.test(root.field.name))
      answers.push(await told(root, minimalVariables(root, own), caller, [own.mark]));
  }
  return answers;
}

/** All that lists tell the owners. */
async function stateOfTheirs(): Promise<unknown[]> {
  const lists = ROOTS.filter(({ field }) => theirs.cursors.has(field.name) && !/audit/i.test(field.name));
  expect(lists.map(({ field }) => field.name)).toEqual(expect.arrayContaining(['secrets', 'kmsKeys']));
  const answers: unknown[] = [];
  for (const { scope } of [theirs, projects]) {
    for (const root of lists) answers.push(await told(root, {}, { ...ADMIN, ...scope }, []));
  }
  return answers;
}

interface Visitor {
  readonly caller: TestCaller | null;
  readonly own: Things;
}

/** Strangers who have not changed anything of their own yet. */
const visitors = new Map<Stranger, Visitor>();

/** Asks as a stranger whose own scope is as it was made. */
async function askAs(
  stranger: Stranger,
  root: Root,
  variables: (own: Things) => Record<string, unknown>,
): Promise<Told> {
  const caller = stranger.caller();
  const visitor = visitors.get(stranger) ?? { caller, own: await ownOf(caller) };
  const answer = await told(root, variables(visitor.own), visitor.caller, [
    visitor.own.mark,
    stranger.theirs().mark,
  ]);
  const isUnchanged = root.operation === 'query' || JSON.stringify(answer.body).includes('"code":');
  if (isUnchanged) visitors.set(stranger, visitor);
  else visitors.delete(stranger);
  return answer;
}

/** The answers about each hidden thing that can be named in the place, each beside the one about its twin that is not. */
async function pairs(root: Root, stranger: Stranger, place: number) {
  const reference = referencesOf(root)[place];
  const hidden = stranger.theirs();
  const found: { readonly value: string; readonly there: Told; readonly absent: Told }[] = [];
  for (const { owner, value } of reference?.names(hidden) ?? []) {
    if (!reference || !stranger.hidden.includes(owner)) continue;
    const ask = (named: string) => askAs(stranger, root, (own) => reference.variables(own, named));
    found.push({ value, there: await ask(value), absent: await ask(absentTwin(value, hidden)) });
  }
  return found;
}

describe('the generator', () => {
  test('knows every input of the schema and of the contract, and says what to do about one that it does not', () => {
    for (const root of [schema, contract].flatMap(rootFields)) {
      referencesOf(root);
      minimalVariables(root, nothing);
    }
    const odd = buildSchema('type Query { a(b: String!): Int }');
    expect(() => rootFields(odd).map(referencesOf)).toThrow(
      /Query\.a\(b:\).*test\/support\/schema-inputs\.ts/,
    );
  });

  test('has an id of every type of node', () => {
    const node = schema.getType('Node');
    const types = schema.getPossibleTypes(node as Parameters<typeof schema.getPossibleTypes>[0]);
    expect([...new Set(theirs.ids.map(({ type }) => type))].sort()).toEqual(
      types.map(({ name }) => name).sort(),
    );
    for (const { name } of types) ownerOfNode(name);
  });

  /** Outcomes of an operation about something that is there and may be used. */
  const REFUSALS = ['INVALID_INPUT', 'NOT_FOUND', 'ACCESS_DENIED', 'ALREADY_EXISTS', 'CONFLICT'];

  test.for(ROOTS.map((root) => [root.field.name, root] as const))(
    'makes an input that is in order for %s: its owner is not refused',
    async ([, root]) => {
      const own = await makeThings(app, schema, { organisation: `own-${++serial}` });
      const answer = await told(root, minimalVariables(root, own), { ...ADMIN, ...own.scope }, [own.mark]);
      expect(answer).toMatchObject({
        status: 200,
        body: { data: { [root.field.name]: expect.anything() as object } },
      });
      expect(answer.body).not.toHaveProperty('errors');
      expect(REFUSALS.filter((code) => JSON.stringify(answer.body).includes(`"code":"${code}"`))).toEqual([]);
    },
  );

  /** What the caller's rights are does not depend on whether there is anything. */
  const TELLS_NOBODY = ['explainAccess'];
  /** A cursor names a place between things. */
  const thingsIn = (root: Root) =>
    referencesOf(root).filter(({ title }) => !/\((after|before)\)$/.test(title));

  test.for(
    ROOTS.filter((root) => thingsIn(root).length > 0 && !TELLS_NOBODY.includes(root.field.name)).map(
      (root) => [root.field.name, root] as const,
    ),
  )('tells what is there from what is not by %s, where the caller may know', async ([, root]) => {
    const differs: boolean[] = [];
    for (const { names, variables } of thingsIn(root)) {
      for (let index = 0; index < names(sample).length && !differs.includes(true); index++) {
        const answers: string[] = [];
        for (const isThere of [true, false]) {
          const own = await makeThings(app, schema, { organisation: `own-${++serial}` });
          const value = names(own)[index]?.value ?? '';
          const asked = variables(own, isThere ? value : absentTwin(value, own));
          answers.push(JSON.stringify(await told(root, asked, { ...ADMIN, ...own.scope }, [own.mark])));
        }
        differs.push(answers[0] !== answers[1]);
      }
    }
    expect(differs).toContain(true);
  });
});

/** Where a stranger can name what is hidden from it. */
function placesFor({ hidden }: Stranger) {
  return ROOTS.flatMap((root) =>
    referencesOf(root).flatMap(({ title, names }, place) =>
      names(sample).some(({ owner }) => hidden.includes(owner)) ? [[title, root, place] as const] : [],
    ),
  );
}

describe.for(STRANGERS.filter((each) => placesFor(each).length > 0).map((each) => [each.who, each] as const))(
  'to %s, what is hidden and what is not there are one (CVE-2026-40264, CVE-2023-24999, CVE-2025-6011)',
  ([, stranger]) => {
    test.for(placesFor(stranger))('%s', async ([title, root, place]) => {
      const found = await pairs(root, stranger, place);
      expect(found.length).toBeGreaterThan(0);
      for (const { value, there, absent } of found) {
        expect(there, `${title} tells of ${value}`).toEqual(absent);
        expect(there.status).toBe(stranger.caller() ? 200 : 401);
      }
    });

    if (stranger.hidden.includes('secret') && stranger.hidden.includes('kmsKey')) {
      test('no list, count or other query shows that anything came', () => {
        const [before, after] = censuses.get(stranger.who) ?? [];
        expect(before?.length).toBeGreaterThan(8);
        expect(after).toEqual(before);
      });
    }
  },
);

test('after all of that nothing of what is hidden has changed (CVE-2022-23451, CVE-2022-23452)', async () => {
  expect(await stateOfTheirs()).toEqual(state);
});
