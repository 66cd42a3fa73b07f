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
  description: 'Which KMS key.',
  fields: (t) => ({
    identity: t.string({ required: true, description: 'The identity of the key.' }),
    region: t.string(regionOption),
  }),
});

const SetKmsKeyRotationInput = builder.inputType('SetKmsKeyRotationInput', {
  description: 'How often a KMS key is rotated by itself.',
  fields: (t) => ({
    identity: t.string({ required: true, description: 'The identity of the key.' }),
    region: t.string(regionOption),
    rotationPeriodDays: t.int({
      description:
        'After how many days, 1 to 3650, counted from now; null turns it off. Leaving it out is refused.',
    }),
  }),
});

const RewrapSecretsInput = builder.inputType('RewrapSecretsInput', {
  description: 'Whose data keys are moved to its newest version.',
  fields: (t) => ({
    kmsKeyIdentity: t.string({ required: true, description: 'The identity of the KMS key.' }),
    region: t.string(regionOption),
  }),
});

const RewrapSecretsPayloadType = builder.objectRef<RewrapSecretsPayload>('RewrapSecretsPayload').implement({
  description: 'How far the moving of data keys has come.',
  fields: (t) => ({
    kmsKey: t.expose('kmsKey', {
      type: KmsKeyType,
      nullable: true,
      description: 'The key; null for a caller without KMS_KEY_READ on it.',
    }),
    rewrapped: t.exposeInt('rewrapped', {
      description: 'How many secret versions this call moved, at most 2,100.',
    }),
    remaining: t.exposeInt('remaining', {
      description:
        'How many active secret versions are under older versions of the key still: call again until 0.',
    }),
  }),
});

const COMMON = [InvalidInputErrorType, NotFoundErrorType, AccessDeniedErrorType] as const;

const changed = (name: string, errors: Parameters<typeof resultType>[1]['errors']) =>
  resultType(`${name.charAt(0).toUpperCase()}${name.slice(1)}Result`, {
    description: `What comes of ${name}.`,
    payloads: [KmsKeyPayloadType],
    errors: [...COMMON, ...errors],
  });

const CHANGES = [
  {
    name: 'rotateKmsKey',
    run: rotateKmsKey,
    result: changed('rotateKmsKey', [KeyUnavailableErrorType]),
    description:
      'Adds a version to a key. New values are sealed under it; older versions keep opening theirs.',
  },
  {
    name: 'enableKmsKey',
    run: enableKmsKey,
    result: changed('enableKmsKey', [KeyUnavailableErrorType]),
    description: 'Lets a disabled key be used again.',
  },
  {
    name: 'disableKmsKey',
    run: disableKmsKey,
    result: changed('disableKmsKey', [KeyUnavailableErrorType]),
    description: 'Keeps a key from opening and sealing anything until it is enabled again.',
  },
  {
    name: 'scheduleKmsKeyDeletion',
    run: scheduleKmsKeyDeletion,
    result: changed('scheduleKmsKeyDeletion', [KeyUnavailableErrorType, KeyInUseErrorType]),
    description:
      'Deletes a key in 30 days, until when it can be cancelled and the key opens and seals nothing. Refused while ' +
      'secrets depend on it, those in their recovery window too.',
  },
  {
    name: 'cancelKmsKeyDeletion',
    run: cancelKmsKeyDeletion,
    result: changed('cancelKmsKeyDeletion', [KeyUnavailableErrorType]),
    description: 'Takes a scheduled deletion back: the key is again what it was before.',
  },
] as const;

for (const { name, run, result, description } of CHANGES) {
  builder.mutationField(name, (t) =>
    t.field({
      type: result,
      nullable: true,
      description,
      args: { input: t.arg({ type: KmsKeyReference, required: true, description: 'Which key.' }) },
      resolve: (_, { input }, ctx) => outcome(run(ctx, input)),
    }),
  );
}

const SetKmsKeyRotationResult = changed('setKmsKeyRotation', []);

const RewrapSecretsResult = resultType('RewrapSecretsResult', {
  description: 'What comes of rewrapSecrets.',
  payloads: [RewrapSecretsPayloadType],
  errors: [...COMMON, KeyUnavailableErrorType],
});

builder.mutationFields((t) => ({
  setKmsKeyRotation: t.field({
    type: SetKmsKeyRotationResult,
    nullable: true,
    description: 'Has a key rotated by itself every so many days, or no longer.',
    args: {
      input: t.arg({ type: SetKmsKeyRotationInput, required: true, description: 'Which key, how often.' }),
    },
    resolve: (_, { input }, ctx) => outcome(setKmsKeyRotation(ctx, input)),
  }),
  rewrapSecrets: t.field({
    type: RewrapSecretsResult,
    nullable: true,
    description:
      "Moves the data keys of a key's older versions to its newest, without opening a value, for at most 10 seconds a " +
      'call, while reads and writes go on. Call it again until nothing remains.',
    args: { input: t.arg({ type: RewrapSecretsInput, required: true, description: 'Which key.' }) },
    resolve: (_, { input }, ctx) => outcome(rewrapSecrets(ctx, input)),
  }),
}));
