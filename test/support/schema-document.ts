import {
  type GraphQLField,
  type GraphQLObjectType,
  type GraphQLSchema,
  getNamedType,
  isAbstractType,
  isCompositeType,
  isLeafType,
  isNonNullType,
} from 'graphql';
import type { Root } from './schema-inputs.ts';

const MAX_DEPTH = 5;

/** Every field of the root types. */
export function rootFields(schema: GraphQLSchema): readonly Root[] {
  const roots = [
    ['query', schema.getQueryType()],
    ['mutation', schema.getMutationType()],
    ['subscription', schema.getSubscriptionType()],
  ] as const;
  return roots.flatMap(([operation, type]) =>
    Object.values(type?.getFields() ?? {}).map((field) => ({ operation, type: type?.name ?? '', field })),
  );
}

/** A document that asks the field for all that it can answer, a few objects deep, with its arguments as variables. */
export function documentOf(
  schema: GraphQLSchema,
  { operation, field }: Root,
  names: readonly string[],
): string {
  const args = field.args.filter(({ name }) => names.includes(name));
  const declared = args.map(({ name, type }) => `$${name}: ${String(type)}`).join(', ');
  const passed = args.map(({ name }) => `${name}: $${name}`).join(', ');
  const selection = selectionOf(schema, getNamedType(field.type), []);
  const parentheses = (text: string) => (text === '' ? '' : `(${text})`);
  return `${operation} ${parentheses(declared)} { ${field.name}${parentheses(passed)} ${selection} }`;
}

function selectionOf(schema: GraphQLSchema, type: unknown, above: readonly string[]): string {
  if (!isCompositeType(type)) return '';
  if (!isAbstractType(type)) return `{ __typename ${fieldsOf(schema, type, above, new Map())} }`;
  const types = schema.getPossibleTypes(type);
  const shapes = new Map<string, Set<string>>();
  for (const field of types.flatMap((each) => Object.values(each.getFields()))) {
    shapes.set(field.name, (shapes.get(field.name) ?? new Set()).add(String(field.type)));
  }
  const parts = types
    .filter((each) => !above.includes(each.name))
    .map((each) => `... on ${each.name} { __typename ${fieldsOf(schema, each, above, shapes)} }`);
  return `{ __typename ${parts.join(' ')} }`;
}

/** Fields of one name and different types get an alias each: their answers could not be merged. */
function fieldsOf(
  schema: GraphQLSchema,
  type: GraphQLObjectType,
  above: readonly string[],
  shapes: ReadonlyMap<string, ReadonlySet<string>>,
): string {
  const inner = [...above, type.name];
  const selected = (field: GraphQLField<unknown, unknown>): readonly string[] => {
    if (field.args.some(({ type: each, defaultValue }) => isNonNullType(each) && defaultValue === undefined))
      return [];
    const named = getNamedType(field.type);
    const name =
      (shapes.get(field.name)?.size ?? 0) > 1 ? `${type.name}_${field.name}: ${field.name}` : field.name;
    if (isLeafType(named)) return [name];
    // The items of a list are asked for as its nodes.
    if (field.name === 'edges') return [`${name} { cursor }`];
    if (inner.length >= MAX_DEPTH || isWithin(schema, named, inner)) return [];
    return [`${name} ${selectionOf(schema, named, inner)}`];
  };
  return Object.values(type.getFields()).flatMap(selected).join(' ');
}

function isWithin(schema: GraphQLSchema, type: unknown, above: readonly string[]): boolean {
  if (!isCompositeType(type)) return false;
  if (!isAbstractType(type)) return above.includes(type.name);
  return schema.getPossibleTypes(type).every(({ name }) => above.includes(name));
}
