import type { RequestContext } from '../../resolvers/context/request-context.ts';
import { encodeGlobalId } from '../../resolvers/input/global-id.ts';
import type { SecretVersion, SecretVersionPayload } from '../../resolvers/rows/secret-types.ts';
import { destroySecretVersion } from '../../resolvers/versions/destroy-secret-version.ts';
import { putSecretValue } from '../../resolvers/versions/put-secret-value.ts';
import { rollbackSecret } from '../../resolvers/versions/rollback-secret.ts';
import { builder } from '../builder.ts';
import { connectionType } from '../connection.ts';
import { SecretValueFormatEnum, SecretVersionStageEnum, SecretVersionStatusEnum } from '../enums.ts';
import { creatorOf, destroyerOf, IdentityType } from '../identity.ts';
import { expectedVersionOption, idempotencyKeyOption, regionOption } from '../input-options.ts';
import { NodeInterface } from '../node.ts';
import { outcome } from '../outcome.ts';
import { SecretVersionType, SecretType } from '../refs.ts';
import {
  AccessDeniedErrorType,
  ConflictErrorType,
  InvalidInputErrorType,
  KeyUnavailableErrorType,
  NotFoundErrorType,
  resultType,
  VersionDestroyedErrorType,
} from '../user-error.ts';
import { SecretValueInput } from './secret-value-input.ts';

SecretVersionType.implement({
  description:
    'One value of a secret, immutable once written. These fields are metadata; getSecretValue reads the value.',
  interfaces: [NodeInterface],
  fields: (t) => ({
    id: t.id({
      description: 'The id of the version. Pass it to `node` to fetch the version again.',
      resolve: ({ secret, number }) =>
        encodeGlobalId('SecretVersion', secret.region.name, `${secret.id}/${number}`),
    }),
    number: t.exposeInt('number', {
      description:
        'The number of the version within its secret. The first is 1, ' +
        'and each next one is one higher. Numbers are never reused.',
    }),
    status: t.expose('status', {
      type: SecretVersionStatusEnum,
      description: 'Whether the value still exists.',
    }),
    stage: t.field({
      type: SecretVersionStageEnum,
      nullable: true,
      description:
        'CURRENT for the latest active version, PREVIOUS for the latest active one before it, otherwise null.',
      resolve: (version, _, ctx) => stageOf(ctx, version),
    }),
    valueFormat: t.expose('valueFormat', {
      type: SecretValueFormatEnum,
      description: 'The form of the value.',
    }),
    kmsKeyVersion: t.string({
      description: 'The version of the KMS key that wraps the data key of this value.',
      resolve: ({ kmsKeyVersion }) => String(kmsKeyVersion),
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When the version was written.' }),
    createdBy: t.field({ type: IdentityType, description: 'Who wrote the version.', resolve: creatorOf }),
    destroyedAt: t.expose('destroyedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When the value was destroyed; null while it exists.',
    }),
    destroyedBy: t.field({
      type: IdentityType,
      nullable: true,
      description: 'Who destroyed the value; null while it exists.',
      resolve: destroyerOf,
    }),
    lastAccessedAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'When the value was last read; null if it never was.',
      resolve: ({ secret: { id, region }, number }, _, ctx) =>
        ctx.loaders(region).versionLastAccessedAt.load({ id, number }),
    }),
  }),
});

export const SecretVersionConnection = connectionType(
  'SecretVersion',
  'versions of a secret',
  SecretVersionType,
);

export const SecretVersionPayloadType = builder
  .objectRef<SecretVersionPayload>('SecretVersionPayload')
  .implement({
    description: 'A version that was written or destroyed, with its secret.',
    fields: (t) => ({
      secret: t.expose('secret', {
        type: SecretType,
        nullable: true,
        description: 'The secret in its current state; null if the caller lacks SECRET_READ on it.',
      }),
      version: t.expose('version', {
        type: SecretVersionType,
        description: 'The version that was written or destroyed.',
      }),
    }),
  });

const PutSecretValueInput = builder.inputType('PutSecretValueInput', {
  description: 'The next value of a secret.',
  fields: (t) => ({
    path: t.field({ type: 'SecretPath', required: true, description: 'The path of the secret.' }),
    region: t.string(regionOption),
    value: t.field({
      type: SecretValueInput,
      required: true,
      description: 'The value, or how to generate it.',
    }),
    expectedVersion: t.int(expectedVersionOption),
    idempotencyKey: t.string(idempotencyKeyOption),
  }),
});

const PutSecretValueResult = resultType('PutSecretValueResult', {
  description: 'The result of putSecretValue.',
  payloads: [SecretVersionPayloadType],
  errors: [
    InvalidInputErrorType,
    NotFoundErrorType,
    AccessDeniedErrorType,
    ConflictErrorType,
    KeyUnavailableErrorType,
  ],
});

const RollbackSecretInput = builder.inputType('RollbackSecretInput', {
  description: 'The older value to make current again.',
  fields: (t) => ({
    path: t.field({ type: 'SecretPath', required: true, description: 'The path of the secret.' }),
    region: t.string(regionOption),
    toVersion: t.int({
      required: true,
      description: 'The number of the active version from which to take the value.',
    }),
    expectedVersion: t.int(expectedVersionOption),
    idempotencyKey: t.string(idempotencyKeyOption),
  }),
});

const RollbackSecretResult = resultType('RollbackSecretResult', {
  description: 'The result of rollbackSecret.',
  payloads: [SecretVersionPayloadType],
  errors: [
    InvalidInputErrorType,
    NotFoundErrorType,
    AccessDeniedErrorType,
    ConflictErrorType,
    VersionDestroyedErrorType,
    KeyUnavailableErrorType,
  ],
});

const DestroySecretVersionInput = builder.inputType('DestroySecretVersionInput', {
  description: 'The version whose value is destroyed.',
  fields: (t) => ({
    path: t.field({ type: 'SecretPath', required: true, description: 'The path of the secret.' }),
    region: t.string(regionOption),
    version: t.int({ required: true, description: 'The number of the version, 1 or more.' }),
  }),
});

const DestroySecretVersionResult = resultType('DestroySecretVersionResult', {
  description: 'The result of destroySecretVersion.',
  payloads: [SecretVersionPayloadType],
  errors: [InvalidInputErrorType, NotFoundErrorType, AccessDeniedErrorType],
});

builder.mutationFields((t) => ({
  putSecretValue: t.field({
    type: PutSecretValueResult,
    nullable: true,
    description: 'Writes the next version of a secret, which becomes the current one. Older versions remain.',
    args: {
      input: t.arg({ type: PutSecretValueInput, required: true, description: 'The secret and its value.' }),
    },
    resolve: (_, { input }, ctx) => outcome(putSecretValue(ctx, input)),
  }),
  rollbackSecret: t.field({
    type: RollbackSecretResult,
    nullable: true,
    description: 'Writes a new version with the value of an older one. The value does not leave the service.',
    args: {
      input: t.arg({ type: RollbackSecretInput, required: true, description: 'The secret and the version.' }),
    },
    resolve: (_, { input }, ctx) => outcome(rollbackSecret(ctx, input)),
  }),
  destroySecretVersion: t.field({
    type: DestroySecretVersionResult,
    nullable: true,
    description:
      'Destroys the value of a version at once and permanently. If it was the current version, the ' +
      'latest active version before it becomes current. Destroying it again returns the same result.',
    args: {
      input: t.arg({
        type: DestroySecretVersionInput,
        required: true,
        description: 'The secret and the version.',
      }),
    },
    resolve: (_, { input }, ctx) => outcome(destroySecretVersion(ctx, input)),
  }),
}));

async function stageOf(ctx: RequestContext, { secret, number, status }: SecretVersion) {
  if (status === 'DESTROYED') return null;
  if (number === secret.currentVersion) return 'CURRENT';
  const previous = await ctx.loaders(secret.region).previousVersion.load(secret.id);
  return number === previous ? 'PREVIOUS' : null;
}
