import type { Connection } from '../resolvers/input/connection.ts';
import { builder, type Types } from './builder.ts';

const PageInfo = builder.objectRef<Connection<object>['pageInfo']>('PageInfo').implement({
  description: 'The position of a page in its list, and the cursors to continue from.',
  fields: (t) => ({
    hasNextPage: t.exposeBoolean('hasNextPage', {
      description: 'Whether more items follow. Continue with `after`.',
    }),
    hasPreviousPage: t.exposeBoolean('hasPreviousPage', {
      description: 'Whether items come before. Go back with `before`.',
    }),
    startCursor: t.exposeString('startCursor', {
      nullable: true,
      description: 'The cursor of the first item on the page; null if the page is empty.',
    }),
    endCursor: t.exposeString('endCursor', {
      nullable: true,
      description: 'The cursor of the last item on the page; null if the page is empty.',
    }),
  }),
});

type Edge<T> = Connection<T>['edges'][number];
type NodeRef<T> = PothosSchemaTypes.ObjectRef<Types, T> | PothosSchemaTypes.InterfaceRef<Types, T>;

/** Defines `<name>Connection` and `<name>Edge`. `items` is the plural noun for what the list holds. */
export function connectionType<T extends object>(name: string, items: string, node: NodeRef<T>) {
  // The fields are the same for every T, and Pothos cannot type the shape of a ref that is still a parameter.
  const type = node as NodeRef<object>;
  const EdgeType = builder.objectRef<Edge<object>>(`${name}Edge`).implement({
    description: `An item in a list of ${items}, with its cursor.`,
    fields: (t) => ({
      cursor: t.exposeString('cursor', {
        description:
          'The position of this item. Use it as `after` or `before` in the same list with the same order.',
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
        description: 'The items on the page, each with its cursor.',
        resolve: ({ edges }) => edges,
      }),
      nodes: t.field({
        type: [type],
        description: 'The items on the page, without their cursors.',
        resolve: ({ edges }) => edges.map((edge) => edge.node),
      }),
      pageInfo: t.field({
        type: PageInfo,
        description: 'Whether there are more items, and where to continue.',
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
      description:
        'How many items to return from the start or after a cursor, 1 to 100. The default is 20 if `last` is omitted too.',
    }),
    after: t.string({ description: 'Start immediately after the item with this cursor.' }),
    last: t.int({
      description:
        'How many items to return from the end or before a cursor, 1 to 100. Cannot be combined with `first`.',
    }),
    before: t.string({ description: 'End immediately before the item with this cursor.' }),
  }));
}
