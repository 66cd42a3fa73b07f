/**
 * The whole public failure vocabulary. A `UserError` is an expected outcome and travels as data, in the union of its
 * field. A `RequestError` ends a field or a request and travels in `errors`, with its code in `extensions.code`.
 * Everything else that is thrown is a bug or an outage and reaches nobody but the log. No message quotes input.
 */

/** Where bad input stands: the names from the argument down, list positions included (`['input', 'keys', '2']`). */
export type FieldPath = readonly string[];

export const USER_ERROR_CODES = [
  'INVALID_INPUT',
  'IDEMPOTENCY_KEY_REUSED',
  'POLICY_LOCKOUT',
  'NOT_FOUND',
  'ACCESS_DENIED',
  'ALREADY_EXISTS',
  'CONFLICT',
  'VERSION_DESTROYED',
  'KEY_UNAVAILABLE',
  'KEY_IN_USE',
] as const;
export type UserErrorCode = (typeof USER_ERROR_CODES)[number];

/** An expected outcome; `name` is the GraphQL type that carries it. */
export abstract class UserError extends Error {
  abstract readonly code: UserErrorCode;
}

/** Input that breaks a rule: `field` says where, the message says which rule. Told apart by `code` from its kin. */
export class InvalidInputError extends UserError {
  override readonly name = 'InvalidInputError';
  readonly code: 'INVALID_INPUT' | 'IDEMPOTENCY_KEY_REUSED' | 'POLICY_LOCKOUT';
  readonly field: FieldPath;

  constructor(field: FieldPath, message: string, code: InvalidInputError['code'] = 'INVALID_INPUT') {
    super(message);
    this.field = field;
    this.code = code;
  }
}

const MISSING = {
  secret: 'There is no such secret, or you may not see it.',
  deletedSecret: 'There is no such deleted secret, or you may not see it.',
  version: 'The secret has no such version.',
  entry: 'The version has no entry of one of the names in keys.',
  kmsKey: 'There is no such KMS key, or you may not see it.',
  policy: 'There is no such policy, or you may not see it.',
} as const;

/** Missing, or hidden from the caller: by design the two cannot be told apart. */
export class NotFoundError extends UserError {
  override readonly name = 'NotFoundError';
  readonly code = 'NOT_FOUND';

  constructor(what: keyof typeof MISSING) {
    super(MISSING[what]);
  }
}

/** A missing right on something whose existence the caller may know. `permission` is a name of the API's enum. */
export class AccessDeniedError<P extends string = string> extends UserError {
  override readonly name = 'AccessDeniedError';
  readonly code = 'ACCESS_DENIED';
  readonly permission: P;

  constructor(permission: P, message = `This needs the permission ${permission}.`) {
    super(message);
    this.permission = permission;
  }
}

const TAKEN = {
  path: 'A secret with this path exists already.',
  kmsKeyName: 'A KMS key with this name exists already.',
  externalKey: 'A KMS key is bound to this external key already.',
} as const;

/** The name or path is taken by something live in the same scope. */
export class AlreadyExistsError extends UserError {
  override readonly name = 'AlreadyExistsError';
  readonly code = 'ALREADY_EXISTS';

  constructor(what: keyof typeof TAKEN) {
    super(TAKEN[what]);
  }
}

const CONFLICTS = {
  currentVersion: "The secret's currentVersion is not the expected one.",
  objectVersion: "The secret's objectVersion is not the expected one.",
  policyObjectVersion: "The policy's objectVersion is not the expected one.",
} as const;

/** A compare-and-set that compared unequal: read `actual`, decide anew, try again. */
export class ConflictError extends UserError {
  override readonly name = 'ConflictError';
  readonly code = 'CONFLICT';
  readonly expected: number;
  readonly actual: number;

  constructor(what: keyof typeof CONFLICTS, expected: number, actual: number) {
    super(CONFLICTS[what]);
    this.expected = expected;
    this.actual = actual;
  }
}

/** The version asked for by number was destroyed; its value is gone for good. */
export class VersionDestroyedError extends UserError {
  override readonly name = 'VersionDestroyedError';
  readonly code = 'VERSION_DESTROYED';
  readonly version: number;

  constructor(version: number) {
    super('This version was destroyed; its value cannot be read.');
    this.version = version;
  }
}

/** The KMS key is disabled, waits for deletion, or its provider does not answer. */
export class KeyUnavailableError extends UserError {
  override readonly name = 'KeyUnavailableError';
  readonly code = 'KEY_UNAVAILABLE';
  readonly kmsKeyIdentity: string;

  constructor(
    kmsKeyIdentity: string,
    message = 'The KMS key cannot be used now: it is not ACTIVE, or its provider does not answer.',
  ) {
    super(message);
    this.kmsKeyIdentity = kmsKeyIdentity;
  }
}

/** The KMS key cannot be deleted: so many secrets depend on it, those in their recovery window included. */
export class KeyInUseError extends UserError {
  override readonly name = 'KeyInUseError';
  readonly code = 'KEY_IN_USE';
  readonly kmsKeyIdentity: string;
  readonly secretCount: number;

  constructor(kmsKeyIdentity: string, secretCount: number) {
    super(
      'Secrets depend on this KMS key: purge them, those in their recovery window too, before it is deleted.',
    );
    this.kmsKeyIdentity = kmsKeyIdentity;
    this.secretCount = secretCount;
  }
}

const REQUEST_ERROR_STATUS = {
  BAD_REQUEST: 400,
  GRAPHQL_PARSE_FAILED: 400,
  GRAPHQL_VALIDATION_FAILED: 400,
  BAD_USER_INPUT: 400,
  QUERY_TOO_COMPLEX: 400,
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  PROJECT_MISMATCH: 403,
  NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  NOT_ACCEPTABLE: 406,
  FOLLOWER_TOO_SLOW: 408,
  PAYLOAD_TOO_LARGE: 413,
  UNSUPPORTED_MEDIA_TYPE: 415,
  MISDIRECTED_REQUEST: 421,
  TOO_MANY_STREAMS: 429,
  INTERNAL_SERVER_ERROR: 500,
  SERVICE_UNAVAILABLE: 503,
} as const;
export type RequestErrorCode = keyof typeof REQUEST_ERROR_STATUS;
export const REQUEST_ERROR_CODES = Object.keys(REQUEST_ERROR_STATUS) as readonly RequestErrorCode[];

/** A failure of the request or of a whole field. `status` is the HTTP status when it ends the request. */
export class RequestError extends Error {
  override readonly name = 'RequestError';
  readonly code: RequestErrorCode;

  constructor(code: RequestErrorCode, message: string) {
    super(message);
    this.code = code;
  }

  get status(): number {
    return REQUEST_ERROR_STATUS[this.code];
  }
}

/** A ciphertext that does not open, for whatever reason: which one is told to nobody, so that nobody can probe it. */
export class DecryptionFailedError extends Error {
  override readonly name = 'DecryptionFailedError';

  constructor() {
    super('Decryption failed.');
  }
}
