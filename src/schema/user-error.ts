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
  description: 'An expected failure, returned as data. `code` is for programs; `message` is for people.',
  resolveType: ({ error }) => error.name,
  fields: (t) => ({
    code: t.string({
      description: 'The code of the failure, such as `NOT_FOUND`. Codes are stable.',
      resolve: ({ error }) => error.code,
    }),
    message: t.string({
      description: 'What went wrong, in a sentence. It never quotes the input, and its wording may change.',
      resolve: ({ error }) => error.message,
    }),
  }),
});

function errorType<E extends UserError>(name: E['name']) {
  return builder.objectRef<Failure<E>>(name);
}

export const InvalidInputErrorType = errorType<InvalidInputError>('InvalidInputError').implement({
  description:
    'The input breaks a rule, which the message states. The code ' +
    'is INVALID_INPUT, IDEMPOTENCY_KEY_REUSED or POLICY_LOCKOUT.',
  interfaces: [UserErrorInterface],
  fields: (t) => ({
    field: t.stringList({
      description: 'The path to the input: the names from the argument down, including list positions.',
      resolve: ({ error }) => error.field,
    }),
  }),
});

export const NotFoundErrorType = errorType<NotFoundError>('NotFoundError').implement({
  description:
    'The object does not exist, or the caller may not see it. The two cases are never distinguished.',
  interfaces: [UserErrorInterface],
});

export const AccessDeniedErrorType = errorType<AccessDeniedError<Permission>>('AccessDeniedError').implement({
  description:
    'The caller may know of the object but lacks a permission on it, or its access policy refuses the request.',
  interfaces: [UserErrorInterface],
  fields: (t) => ({
    permission: t.field({
      type: PermissionEnum,
      description: 'The permission that was asked for and refused.',
      resolve: ({ error }) => error.permission,
    }),
  }),
});

export const AlreadyExistsErrorType = errorType<AlreadyExistsError>('AlreadyExistsError').implement({
  description: 'The path or name is already taken by a live object in the same scope.',
  interfaces: [UserErrorInterface],
});

export const ConflictErrorType = errorType<ConflictError>('ConflictError').implement({
  description: 'The expected number is not the current one. Read again, decide, and retry.',
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
  description: 'The requested version was destroyed. Its value is permanently gone.',
  interfaces: [UserErrorInterface],
  fields: (t) => ({
    version: t.int({
      description: 'The number of the destroyed version.',
      resolve: ({ error }) => error.version,
    }),
  }),
});

export const KeyUnavailableErrorType = errorType<KeyUnavailableError>('KeyUnavailableError').implement({
  description: 'The KMS key cannot be used now. It is not ACTIVE, or its provider does not respond.',
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
    'The KMS key cannot be deleted while secrets depend on it, including those in their recovery window.',
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
  /** The type of a result that is not a failure. Omitted if there is only one payload. */
  readonly payloadType?: (payload: Payload) => string;
  readonly errors: readonly PothosSchemaTypes.ObjectRef<Types, Failure>[];
}

/** The union of what an operation returns and its expected failures. */
export function resultType<Payload extends object>(name: string, options: ResultOptions<Payload>) {
  const { description, payloads, errors, payloadType = () => payloads[0]?.name } = options;
  return builder.unionType(name, {
    description,
    types: [...payloads, ...errors],
    resolveType: (value) => (value instanceof Failure ? value.error.name : payloadType(value)),
  });
}
