import {
  getNamedType,
  GraphQLError,
  type GraphQLInputField,
  type GraphQLNamedType,
  type GraphQLSchema,
  isEnumType,
  isInputObjectType,
  Kind,
} from 'graphql';
import { InvalidInputError, RequestError, UserError } from '../../errors.ts';

/** What a request may be told of an error: nothing of it is copied from input. */
export interface PublicError {
  readonly error: GraphQLError;
  /** The cause when it is a bug or an outage, for the log. */
  readonly unexpected: Error | null;
}

export const INLINE_SECRET = 'Pass SecretData as a variable, never inline.';

const TOO_COMPLEX = /^Syntax Error: (Query depth|Aliases|Directives|Token) limit of (\d+) exceeded/;
/** graphql-js gives up: alone, over fields that may overlap; at the end of its sentence, over the hundredth error. */
const ABORTED = 'Validation aborted.';
const LIMIT_NAMES = {
  'Query depth': 'levels of depth',
  Aliases: 'aliases',
  Directives: 'directives',
  Token: 'tokens',
} as const;

/**
 * Writes every error anew. graphql-js and yoga quote what they reject, a correct secret beside a wrong field included,
 * so their messages are never passed on: only our own texts, positions, and names that the schema itself has.
 */
export function toPublicError(error: unknown, schema: GraphQLSchema, requestId: string): PublicError {
  const shown =
    error instanceof GraphQLError ? error : new GraphQLError('', { originalError: error as Error });
  const cause = rootCause(shown);
  const tell = (message: string, extensions: Record<string, unknown>) =>
    new GraphQLError(message, { ...positionOf(shown), extensions: { ...extensions, requestId } });
  if (cause instanceof RequestError) {
    const http = shown.path ? {} : { http: { status: cause.status } };
    const unexpected = cause.code === 'INTERNAL_SERVER_ERROR' ? cause : null;
    return { error: tell(cause.message, { code: cause.code, ...http }), unexpected };
  }
  if (cause instanceof InvalidInputError) {
    return {
      error: tell(cause.message, { code: 'BAD_USER_INPUT', field: [...cause.field] }),
      unexpected: null,
    };
  }
  if (cause instanceof UserError)
    return { error: tell(cause.message, { code: cause.code }), unexpected: null };
  if (cause)
    return { error: tell('Unexpected error.', { code: 'INTERNAL_SERVER_ERROR' }), unexpected: cause };
  const { code, message } = explain(shown, schema);
  return { error: tell(message, { code, ...httpOf(shown, code) }), unexpected: null };
}

/** What was thrown by code of ours or of a library, under the wrappings of graphql-js; null when graphql-js spoke itself. */
function rootCause(error: GraphQLError): Error | null {
  let cause: Error | null | undefined = error;
  while (cause instanceof GraphQLError) cause = cause.originalError;
  return cause ?? null;
}

function positionOf(error: GraphQLError) {
  const { nodes, source, positions, path } = error;
  return nodes ? { nodes, path } : { source, positions, path };
}

/**
 * The status, and whether `spec`: whether a client that accepts application/json only gets 200 instead, as GraphQL over
 * HTTP has it for requests that are well-formed. What is not a GraphQL request at all is never answered with 200.
 */
function httpOf(error: GraphQLError, code: string): Record<string, unknown> {
  const http = error.extensions['http'];
  if (error.path) return {};
  return { http: { status: http?.status ?? 400, ...(code !== 'BAD_REQUEST' && { spec: true }) } };
}

function explain(
  error: GraphQLError,
  schema: GraphQLSchema,
): { readonly code: string; readonly message: string } {
  const { message, nodes } = error;
  if (message === INLINE_SECRET) return { code: 'BAD_USER_INPUT', message };
  const [, limit, number] = TOO_COMPLEX.exec(message) ?? [];
  if (limit) {
    const name = LIMIT_NAMES[limit as keyof typeof LIMIT_NAMES];
    return { code: 'QUERY_TOO_COMPLEX', message: `A document has at most ${number ?? ''} ${name}.` };
  }
  if (message.startsWith('Syntax Error')) {
    return {
      code: 'GRAPHQL_PARSE_FAILED',
      message: 'The document is not GraphQL: its syntax breaks at the position given.',
    };
  }
  if (message === ABORTED) {
    return { code: 'QUERY_TOO_COMPLEX', message: 'The document repeats too many fields to be validated.' };
  }
  if (message.endsWith(ABORTED)) {
    return { code: 'GRAPHQL_VALIDATION_FAILED', message: 'The document has more errors than are told.' };
  }
  const first = nodes?.[0];
  if (!first)
    return { code: 'BAD_REQUEST', message: 'The request is not a GraphQL request: see docs/errors.md.' };
  if (first.kind === Kind.VARIABLE_DEFINITION) {
    const noValue = enumInvalid(message, schema, typeName(first.type));
    if (noValue) return { code: 'BAD_USER_INPUT', message: noValue };
    const type = known(schema, typeName(first.type));
    const of = type ? ` of type ${type}` : '';
    return {
      code: 'BAD_USER_INPUT',
      message: `A variable${of} is missing, or its JSON does not have the type's shape.`,
    };
  }
  if (error.path)
    return { code: 'BAD_USER_INPUT', message: 'An argument does not have the shape of its type.' };
  return { code: 'GRAPHQL_VALIDATION_FAILED', message: invalid(message, schema) };
}

/** Validation's own sentences with the names that the schema has; anything else stays unsaid. */
function invalid(message: string, schema: GraphQLSchema): string {
  const field = /^Cannot query field "\w+" on type "(\w+)"/.exec(message);
  const onType = field && known(schema, field[1] ?? '');
  if (onType) return `There is no such field on type ${onType}.`;
  const selection = /^Field "\w+" of type "[[\]!]*(\w+)[\]!]*" must have a selection of subfields/.exec(
    message,
  );
  const composite = selection && known(schema, selection[1] ?? '');
  if (composite) return `A field of type ${composite} needs a selection of its fields.`;
  const argument = /^Field "\w+" argument "\w+" of type "[[\]!]*(\w+)[\]!]*" is required/.exec(message);
  const required = argument && known(schema, argument[1] ?? '');
  if (required) return `A required argument of type ${required} is missing.`;
  const value = /^Expected value of type "[[\]!]*(\w+)[\]!]*"/.exec(message);
  const expected = value && known(schema, value[1] ?? '');
  if (expected) return `A value is not of its type ${expected}.`;
  return inputInvalid(message, schema) ?? 'The document does not fit the schema at the position given.';
}

/** The same for arguments, input fields and fragments. */
function inputInvalid(message: string, schema: GraphQLSchema): string | null {
  const missing = /^Field "(\w+)\.(\w+)" of required type /.exec(message);
  const place = missing && inputField(schema, missing[1] ?? '', missing[2] ?? '');
  if (place) return `${place} is required.`;
  const unknown = /^Field "\w+" is not defined by type "(\w+)"/.exec(message);
  const input = unknown && known(schema, unknown[1] ?? '');
  if (input) return `There is no such field on the input type ${input}.`;
  const [, of = '', never = ''] =
    /^Fragment (?:"\w+" )?cannot be spread here as objects of type "(\w+)" can never be of type "(\w+)"/.exec(
      message,
    ) ?? [];
  const [type, fragment] = [known(schema, of), known(schema, never)];
  return type && fragment ? `A fragment on ${fragment} cannot match here: this is ${type}.` : null;
}

/** Which field of the variable has a value that its enum has not, told in names of the schema alone. */
function enumInvalid(message: string, schema: GraphQLSchema, variableType: string): string | null {
  const [, path = ''] =
    / at "\w+((?:\.\w+|\[\d+\])+)"; Value .* does not exist in "\w+" enum/s.exec(message) ?? [];
  let type: GraphQLNamedType | undefined = schema.getType(variableType);
  let place: string | null = null;
  for (const [, name = ''] of path.matchAll(/\.(\w+)/g)) {
    if (!isInputObjectType(type)) return null;
    const field: GraphQLInputField | undefined = type.getFields()[name];
    if (!field) return null;
    place = `${type.name}.${field.name}`;
    type = getNamedType(field.type);
  }
  return place && isEnumType(type) ? `${place} must be a value of the enum ${type.name}.` : null;
}

function inputField(schema: GraphQLSchema, type: string, field: string): string | null {
  const input = schema.getType(type);
  const found = isInputObjectType(input) ? input.getFields()[field] : undefined;
  return found ? `${type}.${found.name}` : null;
}

function known(schema: GraphQLSchema, name: string): string | null {
  return schema.getType(name)?.name ?? null;
}

function typeName(type: { readonly kind: string }): string {
  let inner = type as { kind: string; type?: unknown; name?: { value: string } };
  while (inner.type) inner = inner.type as typeof inner;
  return inner.name?.value ?? '';
}
