import type {
  AccessDeniedError,
  AlreadyExistsError,
  ConflictError,
  InvalidInputError,
  KeyInUseError,
  KeyUnavailableError,
  NotFoundError,
  UserError,
  VersionDestroyedError,
} from '../errors.ts';
import type { Permission } from '../policy/permission.ts';
import { builder, type Types } from './builder.ts';
import { PermissionEnum } from './enums.ts';
import { Failure } from './outcome.ts';

export const UserErrorInterface = builder.interfaceRef<Failure>('UserError').implement({
  description: 'An expected failure, answered as data. Programs read `code`, people read `message`.',
  resolveType: ({ error }) => error.name,
  fields: (t) => ({
    code: t.string({
      description: 'The code of the failure, such as `NOT_FOUND`. Codes are stable.',
      resolve: ({ error }) => error.code,
    }),
    message: t.string({
      description: 'What went wrong, in one sentence. It never quotes the input, and its wording may change.',
      resolve: ({ error }) => error.message,
    }),
  }),
});

function errorType<E extends UserError>(name: E['name']) {
  return builder.objectRef<Failure<E>>(name);
}

export const InvalidInputErrorType = errorType<InvalidInputError>('InvalidInputError').implement({
  description:
    'Input breaks a rule, which the message gives. Its code is INVALID_INPUT, IDEMPOTENCY_KEY_REUSED or POLICY_LOCKOUT.',
  interfaces: [UserErrorInterface],
  fields: (t) => ({
    field: t.stringList({
      description: 'Where the invalid input is: the names from the argument down, list positions included.',
      resolve: ({ error }) => error.field,
    }),
  }),
});

export const NotFoundErrorType = errorType<NotFoundError>('NotFoundError').implement({
  description:
    'There is no such thing, or the caller may not see it: the answer never distinguishes the two.',
  interfaces: [UserErrorInterface],
});

export const AccessDeniedErrorType = errorType<AccessDeniedError<Permission>>('AccessDeniedError').implement({
  description:
    'The caller may know of the thing but lacks a right on it, or its access policy refuses the request.',
  interfaces: [UserErrorInterface],
  fields: (t) => ({
    permission: t.field({
      type: PermissionEnum,
      description: 'The right that was asked for and refused.',
      resolve: ({ error }) => error.permission,
    }),
  }),
});

export const AlreadyExistsErrorType = errorType<AlreadyExistsError>('AlreadyExistsError').implement({
  description: 'The path or name is taken by something live in the same scope.',
  interfaces: [UserErrorInterface],
});

export const ConflictErrorType = errorType<ConflictError>('ConflictError').implement({
  description: 'The expected number is not the current one. Read again, decide, and try again.',
  interfaces: [UserErrorInterface],
  fields: (t) => ({
    expected: t.int({
      description: 'The number that the caller expected.',
      resolve: ({ error }) => error.expected,
    }),
    actual: t.int({
      description: 'The current number; 0 for no version.',
      resolve: ({ error }) => error.actual,
    }),
  }),
});

export const VersionDestroyedErrorType = errorType<VersionDestroyedError>('VersionDestroyedError').implement({
  description: 'The version asked for was destroyed: its value is gone for good.',
  interfaces: [UserErrorInterface],
  fields: (t) => ({
    version: t.int({
      description: 'The number of the destroyed version.',
      resolve: ({ error }) => error.version,
    }),
  }),
});

export const KeyUnavailableErrorType = errorType<KeyUnavailableError>('KeyUnavailableError').implement({
  description: 'The KMS key cannot be used now: it is not ACTIVE, or its provider does not answer.',
  interfaces: [UserErrorInterface],
  fields: (t) => ({
    kmsKeyIdentity: t.string({
      description: 'The identity of the KMS key.',
      resolve: ({ error }) => error.kmsKeyIdentity,
    }),
  }),
});

export const KeyInUseErrorType = errorType<KeyInUseError>('KeyInUseError').implement({
  description:
    'The KMS key cannot be deleted while secrets depend on it, those in their recovery window included.',
  interfaces: [UserErrorInterface],
  fields: (t) => ({
    kmsKeyIdentity: t.string({
      description: 'The identity of the KMS key.',
      resolve: ({ error }) => error.kmsKeyIdentity,
    }),
    secretCount: t.int({
      description: 'How many secrets depend on the key.',
      resolve: ({ error }) => error.secretCount,
    }),
  }),
});

interface ResultOptions<Payload extends object> {
  readonly description: string;
  readonly payloads: readonly PothosSchemaTypes.ObjectRef<Types, Payload>[];
  /** The type of an answer that is no failure; left out where there is one payload only. */
  readonly payloadType?: (payload: Payload) => string;
  readonly errors: readonly PothosSchemaTypes.ObjectRef<Types, Failure>[];
}

/** The union of what an operation answers and of the failures that are to be expected of it. */
export function resultType<Payload extends object>(name: string, options: ResultOptions<Payload>) {
  const { description, payloads, errors, payloadType = () => payloads[0]?.name } = options;
  return builder.unionType(name, {
    description,
    types: [...payloads, ...errors],
    resolveType: (value) => (value instanceof Failure ? value.error.name : payloadType(value)),
  });
}
