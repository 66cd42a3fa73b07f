import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { signCheckpoints } from '../../../src/jobs/sign-checkpoints.ts';
import type { ChainRegion } from '../../../src/resolvers/audit/audit-signer.ts';
import * as doc from '../../e2e/documents.ts';
import { graphql } from '../../support/graphql.ts';
import { regionOfApp } from '../../support/region-of-app.ts';
import { data, freshPath, type TestApp, type TestCaller, testApp } from '../../support/test-app.ts';

const VERIFY = graphql(`
  query Verify {
    verifyAuditChain {
      valid
      checked
      headSequence
      headHash
      firstBrokenSequence
    }
  }
`);

let app: TestApp;
let region: ChainRegion;
let kmsKeyIdentity: string;
let path: string;

beforeAll(async () => {
  app = await testApp();
  region = await regionOfApp(app);
  kmsKeyIdentity = (await app.gql(doc.KMS_KEYS, {})).data.kmsKeys?.nodes[0]?.identity ?? '';
  path = freshPath();
  await app.gql(doc.CREATE, { input: { path, kmsKeyIdentity, value: { secretString: data('v') } } });
  for (let n = 0; n < 4; n++) await app.gql(doc.GET, { input: { path } });
  await app.database.query(`
    ALTER TABLE audit_event DISABLE TRIGGER audit_event_append_only;
    ALTER TABLE audit_checkpoint DISABLE TRIGGER audit_checkpoint_append_only;
    CREATE TABLE kept_event AS SELECT * FROM audit_event;
    CREATE TABLE kept_head AS SELECT * FROM audit_head;`);
});
afterEach(() =>
  app.database.query(`
    TRUNCATE audit_event, audit_head, audit_checkpoint;
    INSERT INTO audit_event SELECT * FROM kept_event;
    INSERT INTO audit_head SELECT * FROM kept_head;`),
);
afterAll(async () => {
  await region.db.close();
  await app.close();
});

async function verify(caller?: TestCaller) {
  const answer = await app.gql(VERIFY, {}, caller);
  if (!answer.data.verifyAuditChain) throw new Error(answer.text);
  return answer.data.verifyAuditChain;
}
const HEAD = 11;

test('whoever lacks AUDIT_READ, or is in a project, is refused', async () => {
  for (const [caller, message] of [
    [{ roles: ['secrets:FullAccess'] }, /AUDIT_READ/],
    [{ project: 'shop' }, /organisation scope/],
  ] as const) {
    const answer = await app.gql(VERIFY, {}, caller);
    expect(answer.data).toEqual({ verifyAuditChain: null });
    expect(answer.errors?.[0]?.extensions).toMatchObject({ code: 'FORBIDDEN' });
    expect(answer.errors?.[0]?.message).toMatch(message);
  }
  const answer = await app.raw('{ verifyAuditChain(region: "none") { valid } }');
  expect(answer.errors?.[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', field: ['region'] });
});

test('a chain that nobody touched is valid, an empty one too', async () => {
  const { rows } = await app.database.query<{ hash: Buffer }>('SELECT hash FROM audit_head');
  const whole = { valid: true, firstBrokenSequence: null };
  expect(await verify()).toEqual({
    ...whole,
    ...{ checked: HEAD, headSequence: HEAD, headHash: rows[0]?.hash.toString('hex') },
  });
  expect(await verify({ organisation: 'empty' })).toMatchObject({ ...whole, checked: 0, headSequence: 0 });
});

const CHANGES: readonly (readonly [column: string, expression: string])[] = [
  ['organisation', `'other'`],
  ['sequence', `100`],
  ['id', `gen_random_uuid()`],
  ['at', `at + interval '1 millisecond'`],
  ['action', `'secret.update'`],
  ['outcome', `'FAILED'`],
  ['error_code', `'NOT_FOUND'`],
  ['project', `'shop'`],
  ['region', `'local-2'`],
  ['actor_subject', `'somebody'`],
  ['actor_issuer', `actor_issuer || '/'`],
  ['actor_roles', `'{}'`],
  ['actor_roles', `NULL`],
  ['resource_type', `'policy'`],
  ['resource', `NULL`],
  ['resource_id', `NULL`],
  ['version', `7`],
  ['caused_by', `1`],
  ['request_id', `'other'`],
  ['source_ip', `'192.0.2.1'`],
  ['user_agent', `''`],
  ['details', `'{"a": "b"}'`],
  ['details', `'{"a": 1}'`],
  ['previous_hash', `'\\x00'`],
  ['hash', `previous_hash`],
];

test('there is no column of an event that is not tampered with below', async () => {
  const { rows } = await app.database.query<{ name: string }>(
    `SELECT attname AS name FROM pg_attribute WHERE attrelid = 'audit_event'::regclass AND attnum > 0`,
  );
  expect([...new Set(CHANGES.map(([column]) => column))].sort()).toEqual(rows.map(({ name }) => name).sort());
});

test.each(CHANGES)('a changed %s is found where it is: %s', async (column, expression) => {
  const { rowCount } = await app.database.query(
    `UPDATE audit_event SET ${column} = ${expression} WHERE sequence = 6`,
  );
  expect(rowCount).toBe(1);
  expect(await verify()).toMatchObject({
    valid: false,
    checked: 5,
    firstBrokenSequence: 6,
    headSequence: HEAD,
  });
});

const renumber = (from: number, to: number) =>
  `UPDATE audit_event SET sequence = ${to} WHERE sequence = ${from};`;
const copyTo = (sequence: number) => `
  INSERT INTO audit_event SELECT organisation, ${sequence}, gen_random_uuid(), at, action, outcome, error_code, project, region,
    actor_subject, actor_issuer, actor_roles, resource_type, resource, resource_id, version, caused_by, request_id, source_ip,
    user_agent, details, previous_hash, hash FROM audit_event WHERE sequence = ${HEAD};`;

test.each([
  ['a removed row', `DELETE FROM audit_event WHERE sequence = 6`, 6],
  ['the first row removed', `DELETE FROM audit_event WHERE sequence = 1`, 1],
  [
    'a row removed and the rest moved up',
    `DELETE FROM audit_event WHERE sequence = 6; ${[7, 8, 9, 10, 11].map((n) => renumber(n, n - 1)).join('')}`,
    6,
  ],
  ['a swapped pair', renumber(6, 100) + renumber(7, 6) + renumber(100, 7), 6],
  [
    'an inserted row',
    [11, 10, 9, 8, 7, 6].map((n) => renumber(n, n + 1)).join('') +
      copyTo(6).replace(`sequence = ${HEAD}`, 'sequence = 5'),
    6,
  ],
  ['a row before the first', copyTo(0), 0],
  ['a row behind the head', copyTo(HEAD + 1), HEAD + 1],
  ['a cut tail', `DELETE FROM audit_event WHERE sequence > 8`, 9],
  ['all rows removed', `DELETE FROM audit_event`, 1],
  ['a head with another hash', `UPDATE audit_head SET hash = '\\x00'`, HEAD],
  ['a head that is gone', `DELETE FROM audit_head`, 1],
] as const)('%s is found', async (_, sql, firstBrokenSequence) => {
  await app.database.query(sql);
  expect(await verify()).toMatchObject({ valid: false, firstBrokenSequence });
});

/** As an owner of the database without the root key would: the tail is cut and the head put back, all of it consistent. */
const CUT_AND_REWIND = `
  DELETE FROM audit_event WHERE sequence > 8;
  UPDATE audit_head SET sequence = 8, hash = (SELECT hash FROM audit_event WHERE sequence = 8);`;

test('a tail cut together with the head is found against a checkpoint that was signed before', async () => {
  await signCheckpoints([region], new Date());
  expect(await verify()).toMatchObject({ valid: true });
  await app.database.query(CUT_AND_REWIND);
  expect(await verify()).toMatchObject({ valid: false, firstBrokenSequence: 9, headSequence: 8 });
});

test('a checkpoint that the service did not sign, or that was changed, is found', async () => {
  for (const change of [
    `UPDATE audit_checkpoint SET at = at + interval '1 second'`,
    `UPDATE audit_checkpoint SET signature = decode(repeat('00', 64), 'hex')`,
    `UPDATE audit_checkpoint SET hash = '\\x00'`,
    `UPDATE audit_checkpoint SET key_id = 'unknown'`,
    `UPDATE audit_checkpoint SET kind = 'RETENTION'`,
  ]) {
    await signCheckpoints([region], new Date());
    await app.database.query(change);
    const found = await verify();
    await app.database.query('TRUNCATE audit_checkpoint');
    expect([change, found.valid, found.firstBrokenSequence]).toEqual([change, false, HEAD]);
  }
});

test('a removed prefix is found: no checkpoint but one of retention makes up for it', async () => {
  await signCheckpoints([region], new Date());
  await app.database.query('DELETE FROM audit_event WHERE sequence < 11');
  expect(await verify()).toMatchObject({ valid: false, firstBrokenSequence: 1 });
});

test('a chain too long for one request is refused by its limit, before it is read', async () => {
  await app.database.query(`UPDATE audit_head SET sequence = 1000001`);
  const answer = await app.gql(VERIFY, {});
  expect(answer.errors?.[0]).toMatchObject({
    ...{ message: 'A request verifies at most 1,000,000 events: verify an export of this chain.' },
    extensions: { code: 'QUERY_TOO_COMPLEX' },
  });
});

test('events that arrive meanwhile raise no false alarm, and a third verification at once is put off', async () => {
  const write = async () => {
    for (let n = 0; n < 10; n++) await app.gql(doc.GET, { input: { path } });
  };
  const answers: { valid: boolean }[] = [];
  const check = async () => {
    for (let n = 0; n < 5; n++) answers.push(await verify());
  };
  await Promise.all([write(), write(), check(), check()]);
  expect(answers.filter(({ valid }) => !valid)).toEqual([]);
  const many = await app.raw(`{ ${[1, 2, 3].map((n) => `v${n}: verifyAuditChain { valid }`).join(' ')} }`);
  expect(many.errors?.map(({ extensions }) => extensions['code'])).toEqual(['SERVICE_UNAVAILABLE']);
});
