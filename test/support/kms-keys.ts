import { data, freshPath, type TestApp, type TestCaller } from './test-app.ts';

const ERRORS = `__typename ... on UserError { code message ... on InvalidInputError { field }
  ... on AccessDeniedError { permission } ... on KeyInUseError { kmsKeyIdentity secretCount }
  ... on KeyUnavailableError { kmsKeyIdentity } }`;
const KEY = `identity status latestVersion rotationEnabled rotationPeriodDays nextRotationAt deletionScheduledAt
  versions { nodes { version secretVersionCount } }`;

/** Every change of a key, with the right that it needs. */
export const KEY_CHANGES = {
  rotateKmsKey: { input: 'KmsKeyReference', permission: 'KMS_KEY_UPDATE', action: 'kms.rotateKey' },
  setKmsKeyRotation: {
    input: 'SetKmsKeyRotationInput',
    permission: 'KMS_KEY_UPDATE',
    action: 'kms.setRotation',
  },
  enableKmsKey: { input: 'KmsKeyReference', permission: 'KMS_KEY_UPDATE', action: 'kms.enableKey' },
  disableKmsKey: { input: 'KmsKeyReference', permission: 'KMS_KEY_UPDATE', action: 'kms.disableKey' },
  scheduleKmsKeyDeletion: {
    input: 'KmsKeyReference',
    permission: 'KMS_KEY_DELETE',
    action: 'kms.scheduleDeletion',
  },
  cancelKmsKeyDeletion: {
    input: 'KmsKeyReference',
    permission: 'KMS_KEY_UPDATE',
    action: 'kms.cancelDeletion',
  },
} as const;
export type KeyChange = keyof typeof KEY_CHANGES;

export interface KeyState {
  readonly identity: string;
  readonly status: string;
  readonly latestVersion: string;
  readonly rotationEnabled: boolean;
  readonly rotationPeriodDays: number | null;
  readonly nextRotationAt: string | null;
  readonly deletionScheduledAt: string | null;
  readonly versions: { readonly nodes: { readonly version: string; readonly secretVersionCount: number }[] };
}

export interface KeyAnswer {
  readonly __typename: string;
  readonly code?: string;
  readonly message?: string;
  readonly field?: string[];
  readonly permission?: string;
  readonly kmsKeyIdentity?: string;
  readonly secretCount?: number;
  readonly kmsKey?: KeyState | null;
  readonly rewrapped?: number;
  readonly remaining?: number;
}

/** KMS keys and secrets under them, by hand. */
export function kmsKeysOf(app: TestApp, caller?: TestCaller) {
  let named = 0;
  const run = async (field: string, type: string, input: object, selection: string, by = caller) => {
    const mutation = `mutation ($input: ${type}!) { ${field}(input: $input) { ${ERRORS} ${selection} } }`;
    const answer = await app.raw(mutation, { input }, by);
    if (answer.errors) throw new Error(JSON.stringify(answer.errors));
    return answer.data[field] as KeyAnswer;
  };
  const created = async (input: object = {}) => {
    const name = `key-${process.pid}-${Date.now()}-${named++}`;
    const selection = `... on KmsKeyPayload { kmsKey { ${KEY} } }`;
    const { kmsKey } = await run('createKmsKey', 'CreateKmsKeyInput', { name, ...input }, selection);
    if (!kmsKey) throw new Error('No key was created.');
    return kmsKey.identity;
  };
  const change = (
    field: KeyChange,
    input: { readonly identity: string } & Record<string, unknown>,
    by?: TestCaller,
  ) => run(field, KEY_CHANGES[field].input, input, `... on KmsKeyPayload { kmsKey { ${KEY} } }`, by);
  const rewrap = (kmsKeyIdentity: string, by?: TestCaller) =>
    run(
      'rewrapSecrets',
      'RewrapSecretsInput',
      { kmsKeyIdentity },
      '... on RewrapSecretsPayload { rewrapped remaining kmsKey { identity } }',
      by,
    );
  const state = async (identity: string) =>
    (
      await app.raw(
        `query ($identity: String!) { kmsKey(identity: $identity) { ${KEY} } }`,
        { identity },
        caller,
      )
    ).data['kmsKey'] as KeyState | null;
  const secretUnder = async (kmsKeyIdentity: string, text = 'value', path = freshPath()) => {
    const input = { path, kmsKeyIdentity, value: { secretString: data(text) } };
    const answer = await app.raw(
      `mutation ($input: CreateSecretInput!) { createSecret(input: $input) {
        __typename ... on SecretVersionPayload { secret { id } } } }`,
      { input },
      caller,
    );
    const { secret } = answer.data['createSecret'] as { secret?: { id: string } };
    if (!secret) throw new Error('No secret was created.');
    return { path, id: secret.id };
  };
  /** The text of the value, or the code of the failure. */
  const read = async (path: string, version?: number) => {
    const answer = await app.raw(
      `query ($input: GetSecretValueInput!) { getSecretValue(input: $input) {
        ... on UserError { code } ... on SecretValue { secretString kmsKeyVersion } } }`,
      { input: { path, version } },
      caller,
    );
    const value = answer.data['getSecretValue'] as { code?: string; secretString?: string } | null;
    if (!value) return answer.errors?.[0]?.extensions['code'];
    return value.code ?? Buffer.from(value.secretString ?? '', 'base64').toString();
  };
  const put = async (path: string, text: string) => {
    const answer = await app.raw(
      `mutation ($input: PutSecretValueInput!) { putSecretValue(input: $input) {
        __typename ... on UserError { code } ... on SecretVersionPayload { version { number kmsKeyVersion } } } }`,
      { input: { path, value: { secretString: data(text) } } },
      caller,
    );
    return answer.data['putSecretValue'] as {
      readonly code?: string;
      readonly version?: { readonly number: number; readonly kmsKeyVersion: string };
    };
  };
  return { run, created, change, rewrap, state, secretUnder, read, put };
}

/** Has a background task run now, on whichever gateway of the database takes it. */
export async function requestTask(app: TestApp, name: string): Promise<void> {
  await app.database.query('SELECT graphile_worker.add_job($1, queue_name := $1)', [name]);
}
