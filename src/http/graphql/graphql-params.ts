import { RequestError } from '../../errors.ts';
import { isTooDeep, MAX_JSON_DEPTH } from '../json-depth.ts';

/** A GraphQL request as GraphQL over HTTP has it. */
export interface GraphQLParams {
  readonly query: string;
  readonly variables: Readonly<Record<string, unknown>> | null;
  readonly operationName: string | null;
}

const MEMBERS = ['query', 'variables', 'operationName', 'extensions'];

/** Reads the JSON of a request body. Throws BAD_REQUEST for anything else, and for JSON that nests deeper than 64. */
export function parseGraphQLParams(body: Buffer): GraphQLParams {
  if (isTooDeep(body)) {
    throw new RequestError('BAD_REQUEST', `JSON nests at most ${MAX_JSON_DEPTH} deep here.`);
  }
  const params = parseJson(body);
  if (!isObject(params)) throw notGraphQL();
  for (const member in params) if (params[member] != null && !MEMBERS.includes(member)) throw notGraphQL();
  const { query, variables = null, operationName = null, extensions = null } = params;
  if (typeof query !== 'string') throw notGraphQL();
  if (operationName !== null && typeof operationName !== 'string') throw notGraphQL();
  if (variables !== null && !isObject(variables)) throw notGraphQL();
  if (extensions !== null && !isObject(extensions)) throw notGraphQL();
  return { query, variables, operationName };
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    throw notGraphQL();
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function notGraphQL(): RequestError {
  return new RequestError('BAD_REQUEST', 'The request is not a GraphQL request: see docs/errors.md.');
}
