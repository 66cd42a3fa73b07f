import type { SecretPayload } from '../../resolvers/rows/secret-types.ts';
import { createSecret } from '../../resolvers/secrets/create-secret.ts';
import { deleteSecret } from '../../resolvers/secrets/delete-secret.ts';
import { type PurgeSecretPayload, purgeSecret } from '../../resolvers/secrets/purge-secret.ts';
import { restoreSecret } from '../../resolvers/secrets/restore-secret.ts';
import { setSecretAccessPolicy } from '../../resolvers/secrets/set-secret-access-policy.ts';
import { updateSecret } from '../../resolvers/secrets/update-secret.ts';
import { builder, type Types } from '../builder.ts';
import { expectedObjectVersionOption, idempotencyKeyOption, regionOption } from '../input-options.ts';
import { LabelInput } from '../label.ts';
import { outcome } from '../outcome.ts';
import { AccessPolicyInput } from '../policy/access-policy.ts';
import { SecretType } from '../refs.ts';
import {
  AccessDeniedErrorType,
  AlreadyExistsErrorType,
  ConflictErrorType,
  InvalidInputErrorType,
  KeyUnavailableErrorType,
  NotFoundErrorType,
  resultType,
} from '../user-error.ts';
import { SecretValueInput } from './secret-value-input.ts';
import { SecretVersionPayloadType } from './secret-version.ts';

const SecretPayloadType = builder.objectRef<SecretPayload>('SecretPayload').implement({
  description: 'A secret that was changed.',
  fields: (t) => ({
    secret: t.expose('secret', {
      type: SecretType,
      nullable: true,
      description: 'The secret in its current state; null if the caller lacks SECRET_READ on it.',
    }),
  }),
});

const PurgeSecretPayloadType = builder.objectRef<PurgeSecretPayload>('PurgeSecretPayload').implement({
  description: 'A secret that was permanently removed.',
  fields: (t) => ({ id: t.exposeID('purgedId', { description: 'The id of the removed secret.' }) }),
});

const CreateSecretInput = builder.inputType('CreateSecretInput', {
  description: 'A new secret with its first value.',
  fields: (t) => ({
    path: t.field({
      type: 'SecretPath',
      required: true,
      description: 'The path of the secret. Only restoreSecret can move a secret to another path.',
    }),
    region: t.string(regionOption),
    kmsKeyIdentity: t.string({
      required: true,
      description:
        'The identity of the KMS key that protects the values. The key must be active and in the same region and scope.',
    }),
    value: t.field({
      type: SecretValueInput,
      required: true,
      description: 'The first value, or how to generate it.',
    }),
    description: t.string({
      description: 'What the secret is for, at most 1,024 characters. Not encrypted.',
    }),
    labels: t.field({
      type: [LabelInput],
      description: 'At most 64 short texts by which the secret can be found. Not encrypted.',
    }),
    annotations: t.field({
      type: [LabelInput],
      description: 'Longer texts about the secret, at most 16 KiB in total. Not encrypted.',
    }),
    accessPolicy: t.field({
      type: AccessPolicyInput,
      description:
        'When and from where the values may be used. If omitted, they ' +
        'may be used whenever and from wherever permissions allow.',
    }),
    idempotencyKey: t.string(idempotencyKeyOption),
  }),
});

const CreateSecretResult = resultType('CreateSecretResult', {
  description: 'The result of createSecret.',
  payloads: [SecretVersionPayloadType],
  errors: [
    InvalidInputErrorType,
    AccessDeniedErrorType,
    AlreadyExistsErrorType,
    NotFoundErrorType,
    KeyUnavailableErrorType,
  ],
});

const UpdateSecretInput = builder.inputType('UpdateSecretInput', {
  description: 'Changes to the metadata of a secret. Fields that are omitted stay unchanged.',
  fields: (t) => ({
    path: t.field({ type: 'SecretPath', required: true, description: 'The path of the secret.' }),
    region: t.string(regionOption),
    description: t.string({ description: 'The new description, at most 1,024 characters; null clears it.' }),
    labels: t.field({
      type: [LabelInput],
      description: 'The complete new list of labels, at most 64. An empty list clears them; null is refused.',
    }),
    annotations: t.field({
      type: [LabelInput],
      description:
        'The complete new list of annotations, at most 16 KiB in total. An empty list clears them; null is refused.',
    }),
    expectedObjectVersion: t.int(expectedObjectVersionOption),
  }),
});

const UpdateSecretResult = resultType('UpdateSecretResult', {
  description: 'The result of updateSecret.',
  payloads: [SecretPayloadType],
  errors: [InvalidInputErrorType, NotFoundErrorType, AccessDeniedErrorType, ConflictErrorType],
});

const SetSecretAccessPolicyInput = builder.inputType('SetSecretAccessPolicyInput', {
  description: 'The new access policy of a secret.',
  fields: (t) => ({
    path: t.field({ type: 'SecretPath', required: true, description: 'The path of the secret.' }),
    region: t.string(regionOption),
    accessPolicy: t.field({
      type: AccessPolicyInput,
      description: 'The complete new policy. Null clears it; omitting it is refused.',
    }),
    expectedObjectVersion: t.int(expectedObjectVersionOption),
  }),
});

const SetSecretAccessPolicyResult = resultType('SetSecretAccessPolicyResult', {
  description: 'The result of setSecretAccessPolicy.',
  payloads: [SecretPayloadType],
  errors: [InvalidInputErrorType, NotFoundErrorType, AccessDeniedErrorType, ConflictErrorType],
});

const DeleteSecretInput = builder.inputType('DeleteSecretInput', {
  description: 'The secret to delete, and how long it can be restored.',
  fields: (t) => ({
    path: t.field({ type: 'SecretPath', required: true, description: 'The path of the secret.' }),
    region: t.string(regionOption),
    recoveryWindowDays: t.int({
      required: true,
      defaultValue: 30,
      description:
        'For how many days the secret can be restored, 0 to 90. 0 removes ' +
        'it at once and permanently, which also needs SECRET_PURGE.',
    }),
  }),
});

const DeleteSecretResult = resultType<SecretPayload | PurgeSecretPayload>('DeleteSecretResult', {
  description:
    'The result of deleteSecret: the secret in its recovery window ' +
    'or, with a recovery window of 0, the id of the removed secret.',
  payloads: [SecretPayloadType, PurgeSecretPayloadType] as PothosSchemaTypes.ObjectRef<
    Types,
    SecretPayload | PurgeSecretPayload
  >[],
  payloadType: (payload) => ('purgedId' in payload ? 'PurgeSecretPayload' : 'SecretPayload'),
  errors: [InvalidInputErrorType, NotFoundErrorType, AccessDeniedErrorType],
});

const RestoreSecretInput = builder.inputType('RestoreSecretInput', {
  description: 'The deleted secret to restore, and where to restore it.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'The id of the deleted secret.' }),
    path: t.field({
      type: 'SecretPath',
      description:
        "The path to restore to, if the secret's own path is taken or another one is " +
        'wanted. A move also needs SECRET_GET_VALUE on the old path, SECRET_CREATE ' +
        "on the new one, and KMS_KEY_USE. If omitted, the secret's own path is used.",
    }),
  }),
});

const RestoreSecretResult = resultType('RestoreSecretResult', {
  description: 'The result of restoreSecret.',
  payloads: [SecretPayloadType],
  errors: [
    InvalidInputErrorType,
    NotFoundErrorType,
    AccessDeniedErrorType,
    AlreadyExistsErrorType,
    KeyUnavailableErrorType,
  ],
});

const PurgeSecretInput = builder.inputType('PurgeSecretInput', {
  description: 'The deleted secret to remove permanently.',
  fields: (t) => ({ id: t.id({ required: true, description: 'The id of the deleted secret.' }) }),
});

const PurgeSecretResult = resultType('PurgeSecretResult', {
  description: 'The result of purgeSecret.',
  payloads: [PurgeSecretPayloadType],
  errors: [InvalidInputErrorType, NotFoundErrorType, AccessDeniedErrorType],
});

builder.mutationFields((t) => ({
  createSecret: t.field({
    type: CreateSecretResult,
    nullable: true,
    description: 'Creates a secret at a free path, with its value as version 1.',
    args: { input: t.arg({ type: CreateSecretInput, required: true, description: 'The new secret.' }) },
    resolve: (_, { input }, ctx) => outcome(createSecret(ctx, input)),
  }),
  updateSecret: t.field({
    type: UpdateSecretResult,
    nullable: true,
    description: 'Changes the description, labels or annotations of a secret.',
    args: {
      input: t.arg({ type: UpdateSecretInput, required: true, description: 'The secret and the changes.' }),
    },
    resolve: (_, { input }, ctx) => outcome(updateSecret(ctx, input)),
  }),
  setSecretAccessPolicy: t.field({
    type: SetSecretAccessPolicyResult,
    nullable: true,
    description: 'Sets or clears the conditions under which the values of a secret may be used.',
    args: {
      input: t.arg({
        type: SetSecretAccessPolicyInput,
        required: true,
        description: 'The secret and the policy.',
      }),
    },
    resolve: (_, { input }, ctx) => outcome(setSecretAccessPolicy(ctx, input)),
  }),
  deleteSecret: t.field({
    type: DeleteSecretResult,
    nullable: true,
    description:
      'Deletes a secret. Its path is free at once, and the secret can be restored until the recovery window ends.',
    args: {
      input: t.arg({
        type: DeleteSecretInput,
        required: true,
        description: 'The secret and the recovery window.',
      }),
    },
    resolve: (_, { input }, ctx) => outcome(deleteSecret(ctx, input)),
  }),
  restoreSecret: t.field({
    type: RestoreSecretResult,
    nullable: true,
    description: 'Restores a deleted secret with all its versions.',
    args: {
      input: t.arg({
        type: RestoreSecretInput,
        required: true,
        description: 'The secret and where to restore it.',
      }),
    },
    resolve: (_, { input }, ctx) => outcome(restoreSecret(ctx, input)),
  }),
  purgeSecret: t.field({
    type: PurgeSecretResult,
    nullable: true,
    description: 'Permanently removes a deleted secret before its recovery window ends.',
    args: { input: t.arg({ type: PurgeSecretInput, required: true, description: 'The deleted secret.' }) },
    resolve: (_, { input }, ctx) => outcome(purgeSecret(ctx, input)),
  }),
}));
