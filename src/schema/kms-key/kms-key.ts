import { encodeGlobalId } from '../../resolvers/input/global-id.ts';
import type { KmsKeyPayload } from '../../resolvers/kms-keys/change-kms-key.ts';
import { createKmsKey } from '../../resolvers/kms-keys/create-kms-key.ts';
import { kmsKeySecrets } from '../../resolvers/kms-keys/kms-key-secrets.ts';
import { kmsKeyVersions } from '../../resolvers/kms-keys/kms-key-versions.ts';
import { kmsKey } from '../../resolvers/kms-keys/kms-key.ts';
import { kmsKeys } from '../../resolvers/kms-keys/kms-keys.ts';
import { builder } from '../builder.ts';
import { connectionType, pageArguments } from '../connection.ts';
import { KmsKeyStatusEnum, KmsKeyTypeEnum } from '../enums.ts';
import { creatorOf, IdentityType } from '../identity.ts';
import { idempotencyKeyOption, regionOption } from '../input-options.ts';
import { NodeInterface } from '../node.ts';
import { outcome } from '../outcome.ts';
import { KmsKeyType } from '../refs.ts';
import { SecretConnection } from '../secret/secret.ts';
import {
  AccessDeniedErrorType,
  AlreadyExistsErrorType,
  InvalidInputErrorType,
  KeyUnavailableErrorType,
  resultType,
} from '../user-error.ts';
import { KmsKeyVersionConnection } from './kms-key-version.ts';

KmsKeyType.implement({
  description: 'A key that protects the data keys of secrets. Its key material never leaves its provider.',
  interfaces: () => [NodeInterface],
  fields: (t) => ({
    id: t.id({
      description: 'The id of the key. Pass it to `node` to fetch the key again.',
      resolve: ({ region, identity }) => encodeGlobalId('KmsKey', region.name, identity),
    }),
    identity: t.exposeString('identity', {
      description: 'The identifier by which secrets and policies name the key. It is never reused.',
    }),
    name: t.exposeString('name', { description: 'The human-readable name of the key, unique in its scope.' }),
    description: t.exposeString('description', {
      nullable: true,
      description: 'What the key is for, at most 1,024 characters.',
    }),
    region: t.string({ description: 'The region that holds the key.', resolve: ({ region }) => region.name }),
    keyType: t.expose('keyType', { type: KmsKeyTypeEnum, description: 'The algorithm of the key.' }),
    status: t.expose('status', { type: KmsKeyStatusEnum, description: 'Whether the key can be used.' }),
    provider: t.exposeString('provider', {
      description: 'The name of the provider that holds the key material; `local` is the service itself.',
    }),
    latestVersion: t.string({
      description: 'The version of the key under which new values are sealed.',
      resolve: ({ latestVersion }) => String(latestVersion),
    }),
    versions: t.field({
      type: KmsKeyVersionConnection,
      description: 'The versions of the key, newest first. Older versions still open what they sealed.',
      args: pageArguments(),
      resolve: (parent, args) => kmsKeyVersions(parent, args),
    }),
    rotationEnabled: t.boolean({
      description: 'Whether the key is rotated automatically.',
      resolve: ({ rotationPeriodDays }) => rotationPeriodDays !== null,
    }),
    rotationPeriodDays: t.exposeInt('rotationPeriodDays', {
      nullable: true,
      description:
        'After how many days the key is rotated, 1 to 3650; null if it is not rotated automatically.',
    }),
    nextRotationAt: t.expose('nextRotationAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When the key is next rotated; null if it is not rotated automatically.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When the key was created.' }),
    createdBy: t.field({ type: IdentityType, description: 'Who created the key.', resolve: creatorOf }),
    deletionScheduledAt: t.expose('deletionScheduledAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When the key is permanently deleted; null unless its deletion is scheduled.',
    }),
    secrets: t.field({
      type: SecretConnection,
      description: 'The secrets that depend on the key, including those in their recovery window, by path.',
      args: pageArguments(),
      resolve: (parent, args, ctx) => kmsKeySecrets(ctx, parent, args),
    }),
  }),
});

const KmsKeyConnection = connectionType('KmsKey', 'KMS keys', KmsKeyType);

export const KmsKeyPayloadType = builder.objectRef<KmsKeyPayload>('KmsKeyPayload').implement({
  description: 'A KMS key that was created or changed.',
  fields: (t) => ({
    kmsKey: t.expose('kmsKey', {
      type: KmsKeyType,
      nullable: true,
      description: 'The key in its current state; null if the caller lacks KMS_KEY_READ on it.',
    }),
  }),
});

const CreateKmsKeyInput = builder.inputType('CreateKmsKeyInput', {
  description: 'A new KMS key.',
  fields: (t) => ({
    name: t.string({
      required: true,
      description: 'The name of the key: 1 to 128 characters of `A-Z a-z 0-9 _ . + -`, unique in its scope.',
    }),
    region: t.string(regionOption),
    description: t.string({ description: 'What the key is for, at most 1,024 characters.' }),
    keyType: t.field({
      type: KmsKeyTypeEnum,
      required: true,
      defaultValue: 'AES256_GCM96',
      description: 'The algorithm of the key.',
    }),
    provider: t.string({
      description: 'The name of the provider that holds the key material. If omitted, `local` is used.',
    }),
    externalKeyId: t.string({
      description: 'The key at an external provider to bind. Refused if the provider creates its own keys.',
    }),
    rotationPeriodDays: t.int({
      description:
        'After how many days the key is rotated automatically, 1 to 3650. If omitted, it never is.',
    }),
    idempotencyKey: t.string(idempotencyKeyOption),
  }),
});

const CreateKmsKeyResult = resultType('CreateKmsKeyResult', {
  description: 'The result of createKmsKey.',
  payloads: [KmsKeyPayloadType],
  errors: [InvalidInputErrorType, AccessDeniedErrorType, AlreadyExistsErrorType, KeyUnavailableErrorType],
});

builder.queryFields((t) => ({
  kmsKey: t.field({
    type: KmsKeyType,
    nullable: true,
    description: 'The KMS key with the given identity; null if there is none or the caller may not read it.',
    args: {
      identity: t.arg.string({ required: true, description: 'The identity of the key.' }),
      region: t.arg.string(regionOption),
    },
    resolve: (_, args, ctx) => kmsKey(ctx, args),
  }),
  kmsKeys: t.field({
    type: KmsKeyConnection,
    nullable: true,
    description: 'The KMS keys that the caller may find (KMS_KEY_LIST and KMS_KEY_READ), by identity.',
    args: { region: t.arg.string(regionOption), ...pageArguments() },
    resolve: (_, args, ctx) => kmsKeys(ctx, args),
  }),
}));

builder.mutationField('createKmsKey', (t) =>
  t.field({
    type: CreateKmsKeyResult,
    nullable: true,
    description: "Creates a KMS key with its first version in the caller's scope.",
    args: { input: t.arg({ type: CreateKmsKeyInput, required: true, description: 'The new key.' }) },
    resolve: (_, { input }, ctx) => outcome(createKmsKey(ctx, input)),
  }),
);
