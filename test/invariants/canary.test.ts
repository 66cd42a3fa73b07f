import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import * as doc from '../e2e/documents.ts';
import { data, type TestApp, testApp } from '../support/test-app.ts';

const CANARY = `kanarie-${randomBytes(12).toString('hex')}`;
const PATHS = ['/canary/string', '/canary/pair', '/canary/purged', '/canary/generated'] as const;

let app: TestApp;
const answers: string[] = [];
let generated = '';

beforeAll(async () => {
  app = await testApp();
  const kmsKeyIdentity = (await app.gql(doc.KMS_KEYS, {})).data.kmsKeys?.nodes[0]?.identity ?? '';
  const [string, pair, purged, random] = PATHS;
  const secretString = { secretString: data(CANARY) };
  const secretKeyValues = { secretKeyValues: [{ key: 'password', value: data(`x${CANARY}`) }] };
  const keep = ({ text }: { readonly text: string }) => void answers.push(text);
  const ask = async (...args: Parameters<TestApp['raw']>) => {
    const answer = await app.raw(...args);
    keep(answer);
    return answer;
  };
  const readBack = async (path: string) => (await app.gql(doc.GET, { input: { path } })).text;

  await ask(doc.CREATE, {
    input: { path: string, kmsKeyIdentity, value: secretString, idempotencyKey: 'one' },
  });
  await ask(doc.CREATE, {
    input: { path: string, kmsKeyIdentity, value: secretString, idempotencyKey: 'one' },
  });
  await ask(doc.CREATE, { input: { path: string, kmsKeyIdentity, value: secretString } });
  await ask(doc.CREATE, { input: { path: pair, kmsKeyIdentity, value: secretKeyValues } });
  await ask(doc.CREATE, { input: { path: purged, kmsKeyIdentity, value: secretString } });
  const value = { generateSecret: { password: { length: 32, symbols: false } } };
  await ask(doc.CREATE, { input: { path: random, kmsKeyIdentity, value } });
  await ask(doc.PUT, { input: { path: string, value: secretString, idempotencyKey: 'two' } });
  await ask(doc.PUT, { input: { path: string, value: secretKeyValues, expectedVersion: 99 } });
  await ask(doc.PUT, { input: { path: '/canary/none', value: secretString } });
  await ask(doc.PUT, { input: { path: string, value: secretString, unknown: CANARY } });
  await ask(doc.PUT, { input: { path: string, value: { secretString: CANARY } } });
  await ask(doc.PUT, { input: { path: string, value: secretString } }, { roles: [] });
  await ask(doc.ROLLBACK, { input: { path: string, toVersion: 1 } });
  await ask(doc.DESTROY, { input: { path: string, version: 2 } });
  await ask(doc.DELETE, { input: { path: purged, recoveryWindowDays: 0 } });
  for (const [field, type, more] of [
    ['updateSecret', 'UpdateSecretInput', { description: 'about it' }],
    ['setSecretAccessPolicy', 'SetSecretAccessPolicyInput', { accessPolicy: null }],
  ] as const) {
    const document = `mutation ($input: ${type}!) { ${field}(input: $input) { __typename } }`;
    await ask(document, { input: { path: string, ...more } });
  }
  const id = (
    (await ask(doc.DELETE, { input: { path: pair } })).data['deleteSecret'] as { secret: { id: string } }
  ).secret.id;
  await ask(doc.RESTORE, { input: { id } });
  await ask(doc.PURGE, { input: { id } });
  await ask('mutation { createKmsKey(input: { name: "other" }) { __typename } }');
  await ask(doc.GET, { input: { path: string } }, { roles: ['secrets:ReadAccess'] });
  await ask(doc.GET, { input: { path: '/canary/none' } });
  // The database fails in the middle of a write.
  await app.database.query('ALTER TABLE secret_version RENAME COLUMN ciphertext TO away');
  await ask(doc.PUT, { input: { path: string, value: secretString } });
  await app.database.query('ALTER TABLE secret_version RENAME COLUMN away TO ciphertext');
  // What was stored is really the canary.
  expect(await readBack(string)).toContain(data(CANARY));
  expect(await readBack(pair)).toContain(data(`x${CANARY}`));
  const read = (await app.gql(doc.GET, { input: { path: random } })).data.getSecretValue;
  if (read?.__typename === 'SecretValue')
    generated = Buffer.from(String(read.secretString), 'base64').toString();
  expect(generated).toMatch(/^[A-Za-z0-9]{32}$/);
}, 60_000);
afterAll(() => app.close());

/** The text, and the inside of its base64 at each of the three places where it can begin in a group, and its hex. */
function forms(text: string): string[] {
  const bytes = Buffer.from(text);
  const base64 = [0, 1, 2].map((offset) => {
    const encoded = Buffer.concat([Buffer.alloc(offset), bytes])
      .toString('base64')
      .replace(/=+$/, '');
    return encoded.slice(4, -4);
  });
  return [
    text,
    ...base64,
    ...base64.map((each) => each.replaceAll('+', '-').replaceAll('/', '_')),
    bytes.toString('hex'),
  ];
}

function expectNone(haystack: string, what: string): void {
  for (const form of [...forms(CANARY), ...forms(generated)]) {
    expect(haystack.includes(form), `${what} holds ${form}`).toBe(false);
    const hex = Buffer.from(form).toString('hex');
    expect(haystack.toLowerCase().includes(hex), `${what} holds the hex of ${form}`).toBe(false);
  }
}

async function tables(): Promise<string[]> {
  const { rows } = await app.database.query<{ name: string }>(
    `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
     WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`,
  );
  return rows.map(({ name }) => name);
}

test('a stored secret stands in no log line, whether it was written, read, rolled back, destroyed or refused', () => {
  expect(app.logged()).toContain('"msg":"request"');
  expectNone(app.logged(), 'the log');
});

test('a stored secret stands in no answer to a write, a refusal or a failure', () => {
  expect(answers.join()).toContain('CONFLICT');
  expect(answers.join()).toContain('INTERNAL_SERVER_ERROR');
  expectNone(answers.join('\n'), 'an answer');
});

test('a stored secret stands in no row of any table, as text, base64 or hex', async () => {
  const names = await tables();
  expect(names).toEqual(
    expect.arrayContaining(['public.secret_version', 'public.audit_event', 'public.idempotency_record']),
  );
  let seen = 0;
  for (const name of names) {
    const { rows } = await app.database.query<{ row: string }>(`SELECT t::text AS row FROM ${name} t`);
    seen += rows.length;
    expectNone(rows.map(({ row }) => row).join('\n'), name);
  }
  expect(seen).toBeGreaterThan(20);
});

test('a stored secret stands in no plain SQL dump: the COPY of every table, which is what pg_dump writes', async () => {
  const file = `/tmp/strongroom-canary-${randomBytes(8).toString('hex')}`;
  try {
    for (const name of await tables()) {
      await app.database.query(`COPY ${name} TO '${file}'`);
      const { rows } = await app.database.query<{ dump: string }>('SELECT pg_read_file($1) AS dump', [file]);
      if (name === 'public.secret_version') expect(rows[0]?.dump.length).toBeGreaterThan(500);
      expectNone(rows[0]?.dump ?? '', name);
    }
  } finally {
    await rm(file, { force: true });
  }
});

test('a stored secret, a wrapped data key and a token stand in no audit event and in no line of an export', async () => {
  const events: string[] = [];
  for (let after: string | null = null; ;) {
    const fields =
      'action resource resourceId requestId userAgent details { key value } actor { subject issuer roles } hash';
    const answer: Awaited<ReturnType<TestApp['raw']>> = await app.raw(
      `query ($after: String) { auditEvents(first: 100, after: $after) { nodes { ${fields} } pageInfo { hasNextPage endCursor } } }`,
      { after },
    );
    events.push(answer.text);
    const { pageInfo } = answer.data['auditEvents'] as {
      pageInfo: { hasNextPage: boolean; endCursor: string };
    };
    if (!pageInfo.hasNextPage) break;
    after = pageInfo.endCursor;
  }
  const script = join(import.meta.dirname, '../../scripts/audit-export.ts');
  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    [script, '--organisation', 'acme', '--out', '-'],
    {
      env: {
        ...{ PATH: process.env['PATH'], HOME: process.env['HOME'] },
        ...{ DATABASE_URL: app.databaseUrl, STRONGROOM_DATA_DIR: app.dataDir },
      },
      maxBuffer: 2 ** 26,
    },
  );
  const text = [...events, stdout, stderr].join('\n');
  // All that was done is there to be searched.
  for (const action of [
    'create',
    'getValue',
    'putValue',
    'update',
    'setAccessPolicy',
    'rollback',
    'destroyVersion',
    'delete',
  ]) {
    expect(text.split(`"secret.${action}"`).length, action).toBeGreaterThan(2);
  }
  for (const action of ['secret.restore', 'secret.purge', 'kms.createKey', 'kms.encrypt', 'kms.decrypt'])
    expect(text).toContain(`"${action}"`);
  expectNone(text, 'the audit log');
  const { rows } = await app.database.query<{ key: Buffer }>(
    `SELECT wrapped_data_key AS key FROM secret_version WHERE wrapped_data_key IS NOT NULL
     UNION ALL SELECT wrapped_material FROM kms_key_version UNION ALL SELECT wrapped_private_key FROM audit_signing_key`,
  );
  const rootKey = await readFile(join(app.dataDir, 'root-key-local-1'), 'utf8');
  for (const key of [...rows.map((row) => row.key), Buffer.from(rootKey, 'base64')]) {
    for (const form of ['hex', 'base64', 'base64url'] as const)
      expect(text).not.toContain(key.toString(form));
  }
  expect(rows.length).toBeGreaterThan(5);
  expect(text).not.toContain('eyJ');
});
