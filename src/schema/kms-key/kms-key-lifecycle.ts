import { cancelKmsKeyDeletion } from '../../resolvers/kms-keys/cancel-kms-key-deletion.ts';
import { disableKmsKey } from '../../resolvers/kms-keys/disable-kms-key.ts';
import { enableKmsKey } from '../../resolvers/kms-keys/enable-kms-key.ts';
import { type RewrapSecretsPayload, rewrapSecrets } from '../../resolvers/kms-keys/rewrap-secrets.ts';
import { rotateKmsKey } from '../../resolvers/kms-keys/rotate-kms-key.ts';
import { scheduleKmsKeyDeletion } from '../../resolvers/kms-keys/schedule-kms-key-deletion.ts';
import { setKmsKeyRotation } from '../../resolvers/kms-keys/set-kms-key-rotation.ts';
import { builder } from '../builder.ts';
import { regionOption } from '../input-options.ts';
import { outcome } from '../outcome.ts';
import { KmsKeyType } from '../refs.ts';
import {
  AccessDeniedErrorType,
  InvalidInputErrorType,
  KeyInUseErrorType,
  KeyUnavailableErrorType,
  NotFoundErrorType,
  resultType,
} from '../user-error.ts';
import { KmsKeyPayloadType } from './kms-key.ts';

const KmsKeyReference = builder.inputType('KmsKeyReference', {
  description: 'A reference to a KMS key.',
  fields: (t) => ({
    identity: t.string({ required: true, description: 'The identity of the key.' }),
    region: t.string(regionOption),
  }),
});

const SetKmsKeyRotationInput = builder.inputType('SetKmsKeyRotationInput', {
  description: 'How often a KMS key is rotated automatically.',
  fields: (t) => ({
    identity: t.string({ required: true, description: 'The identity of the key.' }),
    region: t.string(regionOption),
    rotationPeriodDays: t.int({
      description:
        'The rotation period in days, 1 to 3650, counted from now. Null turns automatic rotation off. Omitting it is refused.',
    }),
  }),
});

const RewrapSecretsInput = builder.inputType('RewrapSecretsInput', {
  description: 'The KMS key whose data keys are moved to its newest version.',
  fields: (t) => ({
    kmsKeyIdentity: t.string({ required: true, description: 'The identity of the KMS key.' }),
    region: t.string(regionOption),
  }),
});

const RewrapSecretsPayloadType = builder.objectRef<RewrapSecretsPayload>('RewrapSecretsPayload').implement({
  description: 'The progress of moving data keys to the newest version of a KMS key.',
  fields: (t) => ({
    kmsKey: t.expose('kmsKey', {
      type: KmsKeyType,
      nullable: true,
      description: 'The key; null if the caller lacks KMS_KEY_READ on it.',
    }),
    rewrapped: t.exposeInt('rewrapped', {
      description: 'How many secret versions this call moved, at most 2,100.',
    }),
    remaining: t.exposeInt('remaining', {
      description:
        'How many active secret versions are still under older versions of the key. Call again until it ' +
        'is 0, or no longer falls: a data key that does not open stays.',
    }),
  }),
});

const COMMON = [InvalidInputErrorType, NotFoundErrorType, AccessDeniedErrorType] as const;

const changed = (name: string, errors: Parameters<typeof resultType>[1]['errors']) =>
  resultType(`${name.charAt(0).toUpperCase()}${name.slice(1)}Result`, {
    description: `The result of ${name}.`,
    payloads: [KmsKeyPayloadType],
    errors: [...COMMON, ...errors],
  });

const CHANGES = [
  {
    name: 'rotateKmsKey',
    run: rotateKmsKey,
    result: changed('rotateKmsKey', [KeyUnavailableErrorType]),
    description:
      'Adds a version to a key. New values are sealed under it. Older versions still open their own values.',
  },
  {
    name: 'enableKmsKey',
    run: enableKmsKey,
    result: changed('enableKmsKey', [KeyUnavailableErrorType]),
    description: 'Enables a disabled key, so that it can be used again.',
  },
  {
    name: 'disableKmsKey',
    run: disableKmsKey,
    result: changed('disableKmsKey', [KeyUnavailableErrorType]),
    description: 'Prevents a key from opening and sealing anything until it is enabled again.',
  },
  {
    name: 'scheduleKmsKeyDeletion',
    run: scheduleKmsKeyDeletion,
    result: changed('scheduleKmsKeyDeletion', [KeyUnavailableErrorType, KeyInUseErrorType]),
    description:
      'Schedules the deletion of a key in 30 days. Until then, the deletion can be cancelled, and the key opens and ' +
      'seals nothing. The deletion is refused while secrets depend on the key, including those in their recovery window.',
  },
  {
    name: 'cancelKmsKeyDeletion',
    run: cancelKmsKeyDeletion,
    result: changed('cancelKmsKeyDeletion', [KeyUnavailableErrorType]),
    description: 'Cancels the scheduled deletion of a key. The key returns to its previous state.',
  },
] as const;

for (const { name, run, result, description } of CHANGES) {
  builder.mutationField(name, (t) =>
    t.field({
      type: result,
      nullable: true,
      description,
      args: { input: t.arg({ type: KmsKeyReference, required: true, description: 'The key.' }) },
      resolve: (_, { input }, ctx) => outcome(run(ctx, input)),
    }),
  );
}

const SetKmsKeyRotationResult = changed('setKmsKeyRotation', []);

const RewrapSecretsResult = resultType('RewrapSecretsResult', {
  description: 'The result of rewrapSecrets.',
  payloads: [RewrapSecretsPayloadType],
  errors: [...COMMON, KeyUnavailableErrorType],
});

builder.mutationFields((t) => ({
  setKmsKeyRotation: t.field({
    type: SetKmsKeyRotationResult,
    nullable: true,
    description:
      'Sets the number of days after which a key is rotated automatically, or turns automatic rotation off.',
    args: {
      input: t.arg({
        type: SetKmsKeyRotationInput,
        required: true,
        description: 'The key and its rotation period.',
      }),
    },
    resolve: (_, { input }, ctx) => outcome(setKmsKeyRotation(ctx, input)),
  }),
  rewrapSecrets: t.field({
    type: RewrapSecretsResult,
    nullable: true,
    description:
      "Moves the data keys under a key's older versions to its newest version, without opening a value. Each " +
      'call works for at most 10 seconds, while reads and writes continue. Call it again until nothing remains.',
    args: { input: t.arg({ type: RewrapSecretsInput, required: true, description: 'The key.' }) },
    resolve: (_, { input }, ctx) => outcome(rewrapSecrets(ctx, input)),
  }),
}));
