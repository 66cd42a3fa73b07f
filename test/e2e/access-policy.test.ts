import { readFileSync } from 'node:fs';
import { buildSchema } from 'graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { documentOf, rootFields } from '../support/schema-document.ts';
import { minimalVariables, referencesOf, type Root } from '../support/schema-inputs.ts';
import { ADMIN, data, freshPath, type TestApp, testApp } from '../support/test-app.ts';
import { makeThings, type Things } from '../support/things.ts';
import * as doc from './documents.ts';

const schema = buildSchema(readFileSync(new URL('../../schema.graphql', import.meta.url), 'utf8'));
/** All that can be asked about a secret, as it is published. */
const ROOTS = rootFields(schema).filter(
  (root) =>
    root.operation !== 'subscription' &&
    referencesOf(root).some(({ type }) => type === 'SecretPath' || type === 'FolderPath' || type === 'ID'),
);
/** What uses a value. Everything else goes on, whatever the conditions are, or nobody could mend them. */
const GATED = ['getSecretValue', 'getSecretValues', 'putSecretValue', 'rollbackSecret'];
const REFUSAL = "The secret's access policy refuses this request.";
const REFUSE_ALL = { ip: [{ effect: 'DENY', cidrs: ['0.0.0.0/0', '::/0'] }] } as const;

let app: TestApp;
let kmsKeyIdentity: string;
let serial = 0;

beforeAll(async () => {
  app = await testApp();
  kmsKeyIdentity = (await app.gql(doc.KMS_KEYS, {})).data.kmsKeys?.nodes[0]?.identity ?? '';
});
afterAll(() => app.close());

async function answerOf(root: Root, about: (things: Things) => Things): Promise<string> {
  const things = await makeThings(app, schema, { organisation: `gated-${++serial}` });
  const variables = minimalVariables(root, about(things));
  const query = documentOf(schema, root, Object.keys(variables));
  return (await app.raw(query, variables, { ...ADMIN, ...things.scope })).text;
}

describe('an access policy that refuses everybody', () => {
  test.for(ROOTS.map((root) => [root.field.name, root] as const))(
    'gates reading, putting and rolling back a value and nothing else: %s',
    async ([name, root]) => {
      expect(await answerOf(root, (things) => things)).not.toContain(REFUSAL);
      const guarded = await answerOf(root, (things) => ({ ...things, path: things.guardedPath }));
      expect(guarded.includes(REFUSAL)).toBe(GATED.includes(name));
    },
  );

  test('is there from the first version on, where it came with the secret', async () => {
    const path = freshPath();
    const input = { path, kmsKeyIdentity, value: { secretString: data('v') } };
    const made = await app.raw(doc.CREATE, { input: { ...input, accessPolicy: REFUSE_ALL } });
    expect(made.data['createSecret']).toMatchObject({ __typename: 'SecretVersionPayload' });
    expect((await app.gql(doc.GET, { input: { path } })).data.getSecretValue).toMatchObject({
      message: REFUSAL,
    });
  });

  test('refuses in a batch its own secret and no other', async () => {
    const [guarded, open] = [freshPath(), freshPath()];
    const value = { secretString: data('v') };
    await app.raw(doc.CREATE, { input: { path: guarded, kmsKeyIdentity, value, accessPolicy: REFUSE_ALL } });
    await app.raw(doc.CREATE, { input: { path: open, kmsKeyIdentity, value } });
    const { data: answer } = await app.gql(doc.GET_MANY, {
      input: { secrets: [{ path: guarded }, { path: open }] },
    });
    expect(answer.getSecretValues).toMatchObject({
      results: [{ message: REFUSAL }, { __typename: 'SecretValue', path: open }],
    });
  });

  test('does not hinder deleting and restoring to its own path, and goes along: a move is refused', async () => {
    const path = freshPath();
    const input = { path, kmsKeyIdentity, value: { secretString: data('v') } };
    await app.raw(doc.CREATE, { input: { ...input, accessPolicy: REFUSE_ALL } });
    const { data: gone } = await app.gql(doc.DELETE, { input: { path } });
    const id = gone.deleteSecret?.__typename === 'SecretPayload' ? (gone.deleteSecret.secret?.id ?? '') : '';
    const elsewhere = await app.gql(doc.RESTORE, { input: { id, path: freshPath() } });
    expect(elsewhere.data.restoreSecret).toMatchObject({ message: REFUSAL });
    expect((await app.gql(doc.RESTORE, { input: { id } })).data.restoreSecret).toMatchObject({
      secret: { path },
    });
    expect((await app.gql(doc.GET, { input: { path } })).data.getSecretValue).toMatchObject({
      message: REFUSAL,
    });
  });

  test('is told to nobody who may not read the metadata: the answer is that of an absence', async () => {
    const path = freshPath();
    const input = { path, kmsKeyIdentity, value: { secretString: data('v') } };
    await app.raw(doc.CREATE, { input: { ...input, accessPolicy: REFUSE_ALL } });
    const stranger = { roles: ['kms:FullAccess'] };
    const absent = await app.gql(doc.GET, { input: { path: freshPath() } }, stranger);
    expect((await app.gql(doc.GET, { input: { path } }, stranger)).text).toBe(absent.text);
  });

  test('is judged anew where an idempotency key answers a put for the second time', async () => {
    const path = freshPath();
    const value = { secretString: data('v') };
    await app.raw(doc.CREATE, { input: { path, kmsKeyIdentity, value } });
    const put = { input: { path, value, idempotencyKey: path } };
    expect((await app.gql(doc.PUT, put)).data.putSecretValue?.__typename).toBe('SecretVersionPayload');
    await app.raw(
      `mutation ($input: SetSecretAccessPolicyInput!) { setSecretAccessPolicy(input: $input) { __typename } }`,
      { input: { path, accessPolicy: REFUSE_ALL } },
    );
    expect((await app.gql(doc.PUT, put)).data.putSecretValue).toMatchObject({ message: REFUSAL });
  });
});
