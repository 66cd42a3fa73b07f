import type { Connection } from '../resolvers/input/connection.ts';
import { builder, type Types } from './builder.ts';

const PageInfo = builder.objectRef<Connection<object>['pageInfo']>('PageInfo').implement({
  description: 'Where a page stands in its list, and how to go on.',
  fields: (t) => ({
    hasNextPage: t.exposeBoolean('hasNextPage', {
      description: 'Whether more items follow: go on with `after`.',
    }),
    hasPreviousPage: t.exposeBoolean('hasPreviousPage', {
      description: 'Whether items come before: go back with `before`.',
    }),
    startCursor: t.exposeString('startCursor', {
      nullable: true,
      description: 'The cursor of the first item of the page; null for an empty page.',
    }),
    endCursor: t.exposeString('endCursor', {
      nullable: true,
      description: 'The cursor of the last item of the page; null for an empty page.',
    }),
  }),
});

type Edge<T> = Connection<T>['edges'][number];
type NodeRef<T> = PothosSchemaTypes.ObjectRef<Types, T> | PothosSchemaTypes.InterfaceRef<Types, T>;

/** Defines `<name>Connection` and `<name>Edge`; `items` says in the plural what the list holds. */
export function connectionType<T extends object>(name: string, items: string, node: NodeRef<T>) {
  // The fields are the same for every T, and Pothos cannot type the shape of a ref that is still a parameter.
  const type = node as NodeRef<object>;
  const EdgeType = builder.objectRef<Edge<object>>(`${name}Edge`).implement({
    description: `An item of a list of ${items}, with its place.`,
    fields: (t) => ({
      cursor: t.exposeString('cursor', {
        description: 'The place of this item, for `after` and `before` of the same list in the same order.',
      }),
      node: t.field({ type, description: 'The item.', resolve: (edge) => edge.node }),
    }),
  });
  const connection = builder.objectRef<Connection<T>>(`${name}Connection`);
  const shape: PothosSchemaTypes.ObjectRef<Types, Connection<object>> = connection;
  builder.objectType(shape, {
    description: `A page of ${items}.`,
    fields: (t) => ({
      edges: t.field({
        type: [EdgeType],
        description: 'The items of the page, each with its cursor.',
        resolve: ({ edges }) => edges,
      }),
      nodes: t.field({
        type: [type],
        description: 'The items of the page without their cursors.',
        resolve: ({ edges }) => edges.map((edge) => edge.node),
      }),
      pageInfo: t.field({
        type: PageInfo,
        description: 'Whether there is more, and where to go on.',
        resolve: ({ pageInfo }) => pageInfo,
      }),
    }),
  });
  return connection;
}

/** The arguments of every list. */
export function pageArguments() {
  return builder.args((t) => ({
    first: t.int({
      description: 'How many items from the start or after a cursor, 1 to 100. Default without `last`: 20.',
    }),
    after: t.string({ description: 'Begin right after the item with this cursor.' }),
    last: t.int({
      description: 'How many items from the end or before a cursor, 1 to 100. Not together with `first`.',
    }),
    before: t.string({ description: 'End right before the item with this cursor.' }),
  }));
}
