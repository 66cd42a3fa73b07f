import { readFileSync } from 'node:fs';
import {
  buildSchema,
  GraphQLError,
  type GraphQLField,
  type GraphQLNamedType,
  type GraphQLResolveInfo,
  type GraphQLSchema,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isIntrospectionType,
  isObjectType,
  isScalarType,
  isUnionType,
  lexicographicSortSchema,
  parse,
  print,
  printSchema,
  specifiedScalarTypes,
  astFromValue,
  type GraphQLArgument,
  type GraphQLInputField,
  validate,
} from 'graphql';
import { expect, test } from 'vitest';
import { schema } from '../../src/schema/index.ts';

const contract = buildSchema(readText('../contract.graphql'));

test('schema.graphql is the schema that the code publishes', () => {
  expect(readText('../../schema.graphql')).toBe(`${printSchema(lexicographicSortSchema(schema))}\n`);
});

/** What we have beyond the contract, which may be added to. */
const ADDED = [
  // A provider elsewhere may not answer when the first version of a key is to be made.
  'CreateKmsKeyResult | KeyUnavailableError',
];

test('whatever is published stands in the contract, with the same type and default, or is known to be added', () => {
  const facts = factsOf(contract);
  const other = [...factsOf(schema)].filter(([place, fact]) => facts.get(place) !== fact);
  expect(other.map(([place]) => place)).toEqual(ADDED);
});

test('whatever the contract has is published', () => {
  const facts = factsOf(schema);
  expect([...factsOf(contract).keys()].filter((place) => !facts.has(place))).toEqual([]);
});

test('no root field answers without a principal', async () => {
  for (const type of [schema.getQueryType(), schema.getMutationType()]) {
    for (const field of Object.values(type?.getFields() ?? {})) {
      const info = { parentType: type, fieldName: field.name, returnType: field.type, schema };
      const answer = (): unknown => field.resolve?.({}, {}, {}, info as unknown as GraphQLResolveInfo);
      await expect(Promise.resolve().then(answer), field.name).rejects.toMatchObject({
        code: 'UNAUTHENTICATED',
      });
    }
  }
});

test('no stream begins without a principal', async () => {
  const type = schema.getSubscriptionType();
  const fields = Object.values(type?.getFields() ?? {});
  expect(fields.map(({ name }) => name)).toEqual(['secretEvents']);
  for (const field of fields) {
    const info = { parentType: type, fieldName: field.name, returnType: field.type, schema };
    const stream = (): unknown => field.subscribe?.({}, {}, {}, info as unknown as GraphQLResolveInfo);
    await expect(Promise.resolve().then(stream), field.name).rejects.toMatchObject({
      code: 'UNAUTHENTICATED',
    });
  }
});

test('every type, field, argument, input field and enum value is described', () => {
  expect(described(schema).filter(([, description]) => !description?.trim())).toEqual([]);
});

test('a SecretData literal is refused, and the refusal does not quote it', () => {
  const inline = parse(
    'mutation { putSecretValue(input: { path: "/a", value: { secretString: "aHVudGVyMg==" } }) { __typename } }',
  );
  const errors = validate(schema, inline);
  expect(errors.map(({ message }) => message)).toEqual(['Pass SecretData as a variable, never inline.']);
  expect(errors[0]?.extensions).toEqual({ code: 'BAD_USER_INPUT' });
  const variable = parse(`
    mutation ($data: SecretData!) {
      putSecretValue(input: { path: "/a", value: { secretString: $data } }) { __typename }
    }`);
  expect(validate(schema, variable)).toEqual([]);
});

test('a scalar refuses what is no string without quoting it', () => {
  for (const name of [
    'DateTime',
    'SecretPath',
    'FolderPath',
    'SecretData',
    'CIDR',
    'TimeZone',
    'LocalTime',
  ]) {
    const scalar = schema.getType(name);
    if (!isScalarType(scalar)) throw new Error(`${name} is no scalar.`);
    expect(scalar.parseValue('anything at all')).toBe('anything at all');
    expect(() => scalar.parseValue(4711)).toThrow(new GraphQLError(`${name} is a string.`));
  }
});

function readText(path: string): string {
  return readFileSync(new URL(path, import.meta.url), 'utf8');
}

function typesOf(from: GraphQLSchema): GraphQLNamedType[] {
  return Object.values(from.getTypeMap()).filter(
    (type) => !isIntrospectionType(type) && !specifiedScalarTypes.some(({ name }) => name === type.name),
  );
}

function fieldsOf(type: GraphQLNamedType): (GraphQLField<unknown, unknown> | GraphQLInputField)[] {
  const hasFields = isObjectType(type) || isInterfaceType(type) || isInputObjectType(type);
  return hasFields ? Object.values<GraphQLField<unknown, unknown> | GraphQLInputField>(type.getFields()) : [];
}

function argsOf(field: GraphQLField<unknown, unknown> | GraphQLInputField): readonly GraphQLArgument[] {
  return 'args' in field ? field.args : [];
}

/** Everything that a document can depend on, by its place: kinds, members, types and defaults. */
function factsOf(from: GraphQLSchema): Map<string, string> {
  const facts = new Map<string, string>();
  for (const type of typesOf(from)) {
    const oneOf = isInputObjectType(type) && type.isOneOf ? ' @oneOf' : '';
    facts.set(type.name, `${type.constructor.name}${oneOf}`);
    if (isObjectType(type) || isInterfaceType(type)) {
      for (const { name } of type.getInterfaces()) facts.set(`${type.name} implements ${name}`, '');
    }
    if (isUnionType(type)) for (const { name } of type.getTypes()) facts.set(`${type.name} | ${name}`, '');
    if (isEnumType(type)) for (const { name } of type.getValues()) facts.set(`${type.name}.${name}`, '');
    for (const field of fieldsOf(type)) {
      const place = `${type.name}.${field.name}`;
      facts.set(place, 'args' in field ? String(field.type) : inputFact(field));
      for (const arg of argsOf(field)) facts.set(`${place}(${arg.name})`, inputFact(arg));
    }
  }
  return facts;
}

function inputFact({ type, defaultValue }: GraphQLArgument | GraphQLInputField): string {
  const literal = defaultValue === undefined ? null : astFromValue(defaultValue, type);
  return `${String(type)}${literal ? ` = ${print(literal)}` : ''}`;
}

type Described = readonly [place: string, description: string | null | undefined];

function described(from: GraphQLSchema): Described[] {
  return typesOf(from).flatMap((type): Described[] => [
    [type.name, type.description],
    ...(isEnumType(type) ? type.getValues() : []).map(({ name, description }): Described => [
      `${type.name}.${name}`,
      description,
    ]),
    ...fieldsOf(type).flatMap((field): Described[] => [
      [`${type.name}.${field.name}`, field.description],
      ...argsOf(field).map((arg): Described => [`${type.name}.${field.name}(${arg.name})`, arg.description]),
    ]),
  ]);
}
