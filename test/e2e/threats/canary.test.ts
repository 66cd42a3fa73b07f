import { randomBytes, randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { buildSchema } from 'graphql';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openStream } from '../../support/open-stream.ts';
import { documentOf, rootFields } from '../../support/schema-document.ts';
import { type Place, placesOf, type Root } from '../../support/schema-inputs.ts';
import { data, type TestApp, testApp } from '../../support/test-app.ts';
import { makeThings, type Things } from '../../support/things.ts';

const schema = buildSchema(readFileSync(new URL('../../../schema.graphql', import.meta.url), 'utf8'));
const ROOTS = rootFields(schema);
const PLACES = ROOTS.flatMap((root) => placesOf(root).map((place) => ({ root, place })));

/** Where a secret value goes: of what is sent there nothing comes back, from a write or from a refusal. */
const isOfValue = ({ title, type }: Place) =>
  type === 'SecretData' ||
  /\(input\.value(\.secretString|\.secretKeyValues(\[\])?(\.value)?)?\)$/.test(title);

let app: TestApp;
let own: Things;
let authorization: string;
/** Every canary that was sent, with the place that it was sent to. */
const sent = new Map<string, { readonly title: string; readonly isSecret: boolean }>();

beforeAll(async () => {
  app = await testApp();
  own = await makeThings(app, schema, { organisation: 'acme' });
  authorization = `Bearer ${await app.token()}`;
});
afterAll(() => app.close());

/** A canary of the place alone: wherever it is seen, it says where it was sent. */
function canaryFor(place: Place): string {
  const mark = `kanarie${randomBytes(9).toString('hex')}`;
  sent.set(mark, { title: place.title, isSecret: isOfValue(place) });
  return mark;
}

function numberFor(place: Place): number {
  const number = randomInt(2 ** 46, 2 ** 47);
  sent.set(String(number), { title: place.title, isSecret: isOfValue(place) });
  return number;
}

/** What a caller may send by mistake or on purpose: the right form, other texts, and each kind of JSON for each other. */
const FORMS: readonly ((place: Place) => unknown)[] = [
  canaryFor,
  (place) => data(canaryFor(place)),
  (place) => `/${canaryFor(place)}`,
  (place) => `"${canaryFor(place)}\\\n'--${canaryFor(place)}`,
  (place) => ({ [canaryFor(place)]: canaryFor(place) }),
  (place) => ({ secretString: data(canaryFor(place)), key: canaryFor(place), value: canaryFor(place) }),
  (place) => [canaryFor(place), [[{ [canaryFor(place)]: [canaryFor(place)] }]]],
  numberFor,
  (place) => numberFor(place) + 0.5,
];

/** The text, its base64 wherever it may begin in a group, and its hex. */
function tracesOf(mark: string): readonly string[] {
  const base64 = [0, 1, 2].map((offset) =>
    Buffer.from('\0'.repeat(offset) + mark)
      .toString('base64')
      .slice(4, -4),
  );
  return [mark, ...base64, Buffer.from(mark).toString('hex')];
}

function expectNone(text: string, what: string, marks: Iterable<string> = sent.keys()): void {
  for (const mark of marks) {
    for (const trace of tracesOf(mark)) {
      if (text.includes(trace)) expect.fail(`${what} holds what was sent to ${sent.get(mark)?.title ?? ''}`);
    }
  }
}

/** The failures in an answer, expected ones and others. */
function failuresIn(value: unknown): readonly unknown[] {
  if (typeof value !== 'object' || value === null) return [];
  if (Array.isArray(value)) return value.flatMap(failuresIn);
  const isFailure = 'code' in value && 'message' in value;
  return isFailure ? [value] : Object.values(value).flatMap(failuresIn);
}

async function probe(root: Root, place: Place, form: (place: Place) => unknown): Promise<void> {
  const before = sent.size;
  const variables = place.variables(own, form(place));
  const query = documentOf(schema, root, Object.keys(variables));
  const isStream = root.operation === 'subscription';
  const { status, headers, text, answers } = await (isStream ? streamed : posted)(query, variables);
  const marks = [...sent.keys()].slice(before);
  expect(status, text).toBeLessThan(500);
  expectNone([...headers].join('\n'), 'a header', marks);
  for (const answer of answers) {
    expectNone(JSON.stringify(answer.errors ?? []), 'an error', marks);
    expectNone(JSON.stringify(failuresIn(answer.data)), 'a failure', marks);
  }
  // Nothing happens while these streams are open.
  if (isStream || isOfValue(place)) expectNone(text, 'an answer', marks);
}

interface Answer {
  readonly data?: unknown;
  readonly errors?: unknown;
}

async function posted(query: string, variables: unknown) {
  const response = await app.post(JSON.stringify({ query, variables }), { authorization });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, answers: [JSON.parse(text) as Answer] };
}

async function streamed(query: string, variables: unknown) {
  const stream = await openStream(app, query, variables, { authorization });
  await stream.endsWithin(300);
  stream.drop();
  const answers: readonly Answer[] = stream.results();
  return { status: stream.status, headers: stream.headers, text: stream.text(), answers };
}

test('the places are found: secrets, paths, labels, keys, lists and whole inputs among them', () => {
  expect(PLACES.map(({ place }) => place.title)).toEqual(
    expect.arrayContaining([
      ...['createSecret(input)', 'createSecret(input.value)', 'createSecret(input.value.secretString)'],
      ...['putSecretValue(input.value.secretKeyValues[].value)', 'createSecret(input.labels[].key)'],
      ...['secret(path)', 'nodes(ids)', 'nodes(ids[])', 'secrets(filter.labels[].value)'],
      ...['secretEvents(pathPrefix)', 'secretEvents(region)', 'secretEvents(after)'],
    ]),
  );
  expect(PLACES.filter(({ place }) => isOfValue(place)).length).toBeGreaterThan(8);
});

test.for(PLACES.map(({ root, place }) => [place.title, root, place] as const))(
  'what is sent to %s, of whatever kind, stands in no refusal (CVE-2025-4166, CVE-2025-52893)',
  async ([, root, place]) => {
    for (const form of FORMS) await probe(root, place, form);
  },
);

test('and none of it in the log or the metrics at its most talkative either (CVE-2024-8365, CVE-2025-62513, CVE-2024-0831)', async () => {
  expect(sent.size).toBeGreaterThan(1_000);
  const metrics = await (await fetch(`${app.url}/metrics`)).text();
  expect(metrics).toContain('strongroom');
  expectNone(metrics, 'the metrics');
  expect(app.logged()).toContain('"msg":"request"');
  expectNone(app.logged(), 'the log');
});

test('and no secret value in any row of any table, the audit log above all (CVE-2025-62705, CVE-2026-46358)', async () => {
  const secrets = [...sent].filter(([, { isSecret }]) => isSecret).map(([mark]) => mark);
  expect(secrets.length).toBeGreaterThan(100);
  const { rows: tables } = await app.database.query<{ name: string }>(
    `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
     WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`,
  );
  expect(tables.map(({ name }) => name)).toContain('public.audit_event');
  for (const { name } of tables) {
    const { rows } = await app.database.query<{ row: string }>(`SELECT t::text AS row FROM ${name} t`);
    if (name === 'public.audit_event') expect(rows.length).toBeGreaterThan(100);
    expectNone(rows.map(({ row }) => row).join('\n'), name, secrets);
  }
});
