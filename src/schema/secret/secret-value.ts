import { UserError } from '../../errors.ts';
import { type SecretContent, type SecretEntry, STRING_ENTRY } from '../../kms/envelope/envelope.ts';
import type { ReadOutcome, SecretValue } from '../../resolvers/context/reads.ts';
import { getSecretValue } from '../../resolvers/values/get-secret-value.ts';
import { getSecretValues, type GetSecretValuesPayload } from '../../resolvers/values/get-secret-values.ts';
import { builder } from '../builder.ts';
import { SecretValueFormatEnum } from '../enums.ts';
import { regionOption } from '../input-options.ts';
import { Failure, outcome } from '../outcome.ts';
import {
  AccessDeniedErrorType,
  InvalidInputErrorType,
  KeyUnavailableErrorType,
  NotFoundErrorType,
  resultType,
  VersionDestroyedErrorType,
} from '../user-error.ts';

const TEXTS = {
  version: 'The number of the version, 1 or more. If omitted, the current version is used.',
  keys:
    'The names of the entries to open, 1 to 256, each given once. ' +
    'Only for a KEY_VALUE. If omitted, all entries are opened.',
} as const;

const SecretKeyValueType = builder.objectRef<SecretEntry>('SecretKeyValue').implement({
  description: 'A named entry of a KEY_VALUE, decrypted.',
  fields: (t) => ({
    key: t.exposeString('name', { description: 'The name of the entry.' }),
    value: t.expose('value', { type: 'SecretData', description: 'The bytes of the entry.' }),
  }),
});

const SecretValueType = builder.objectRef<SecretValue>('SecretValue').implement({
  description: 'The decrypted value of a version. The read has been written to the audit log.',
  fields: (t) => ({
    path: t.exposeString('path', { description: 'The path of the secret.' }),
    version: t.exposeInt('version', { description: 'The number of the version that was read.' }),
    valueFormat: t.field({
      type: SecretValueFormatEnum,
      description: 'The form of the value. It determines whether secretString or secretKeyValues is set.',
      resolve: ({ content }) => content.format,
    }),
    secretString: t.field({
      type: 'SecretData',
      nullable: true,
      description: 'The value of a STRING; null for a KEY_VALUE.',
      resolve: ({ content }) => stringOf(content),
    }),
    secretKeyValues: t.field({
      type: [SecretKeyValueType],
      nullable: true,
      description: 'The entries of a KEY_VALUE, or only those requested; null for a STRING.',
      resolve: ({ content }) => (content.format === 'KEY_VALUE' ? content.entries : null),
    }),
    kmsKeyIdentity: t.exposeString('kmsKeyIdentity', {
      description: 'The identity of the KMS key that opened the value.',
    }),
    kmsKeyVersion: t.string({
      description: 'The version of the KMS key that opened the value.',
      resolve: ({ kmsKeyVersion }) => String(kmsKeyVersion),
    }),
  }),
});

const GetSecretValueInput = builder.inputType('GetSecretValueInput', {
  description: 'The value to read.',
  fields: (t) => ({
    path: t.field({ type: 'SecretPath', required: true, description: 'The path of the secret.' }),
    region: t.string(regionOption),
    version: t.int({ description: TEXTS.version }),
    keys: t.stringList({ description: TEXTS.keys }),
  }),
});

const GetSecretValuesItem = builder.inputType('GetSecretValuesItem', {
  description: 'One of several values to read.',
  fields: (t) => ({
    path: t.field({ type: 'SecretPath', required: true, description: 'The path of the secret.' }),
    version: t.int({ description: TEXTS.version }),
    keys: t.stringList({ description: TEXTS.keys }),
  }),
});

const GetSecretValuesInput = builder.inputType('GetSecretValuesInput', {
  description: 'The values to read together.',
  fields: (t) => ({
    region: t.string(regionOption),
    secrets: t.field({
      type: [GetSecretValuesItem],
      required: true,
      description: 'The values to read, 1 to 100. A request opens at most 100 values across all its fields.',
    }),
  }),
});

const GetSecretValueResult = resultType('GetSecretValueResult', {
  description: 'The result of reading a value.',
  payloads: [SecretValueType],
  errors: [
    InvalidInputErrorType,
    NotFoundErrorType,
    AccessDeniedErrorType,
    VersionDestroyedErrorType,
    KeyUnavailableErrorType,
  ],
});

const GetSecretValuesPayloadType = builder
  .objectRef<GetSecretValuesPayload>('GetSecretValuesPayload')
  .implement({
    description: 'The results of several reads.',
    fields: (t) => ({
      results: t.field({
        type: [GetSecretValueResult],
        nullable: { list: false, items: true },
        description:
          'One result for each requested value, in the same order. A result ' +
          'is null if the read failed through no fault of the caller.',
        resolve: ({ results }) => results.map(item),
      }),
    }),
  });

const GetSecretValuesResult = resultType('GetSecretValuesResult', {
  description:
    'The result of getSecretValues: a result for each value, or the rule that the whole batch breaks.',
  payloads: [GetSecretValuesPayloadType],
  errors: [InvalidInputErrorType],
});

builder.queryFields((t) => ({
  getSecretValue: t.field({
    type: GetSecretValueResult,
    nullable: true,
    description:
      'Reads and decrypts the value of a secret, or some of its entries. Every read is written to the audit log.',
    args: { input: t.arg({ type: GetSecretValueInput, required: true, description: 'The value to read.' }) },
    resolve: (_, { input }, ctx) => outcome(getSecretValue(ctx, input)),
  }),
  getSecretValues: t.field({
    type: GetSecretValuesResult,
    nullable: true,
    description: 'Reads and decrypts several values together. Each read succeeds or fails independently.',
    args: {
      input: t.arg({ type: GetSecretValuesInput, required: true, description: 'The values to read.' }),
    },
    resolve: (_, { input }, ctx) => outcome(getSecretValues(ctx, input)),
  }),
}));

function stringOf({ format, entries }: SecretContent) {
  if (format !== 'STRING') return null;
  return entries.find(({ name }) => name === STRING_ENTRY)?.value ?? null;
}

/** An unexpected failure rejects, and graphql-js makes it an error of its list item alone. */
async function item(result: ReadOutcome): Promise<SecretValue | Failure> {
  if (result instanceof UserError) return new Failure(result);
  if (result instanceof Error) throw result;
  return Promise.resolve(result);
}
