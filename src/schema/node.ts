import { type Node, node, nodes, type TypedNode } from '../resolvers/node.ts';
import { builder } from './builder.ts';

export const NodeInterface = builder.interfaceRef<Node>('Node').implement({
  description: 'An object with an id by which it can be fetched again.',
  // Only `node` and `nodes` return this interface, and they name the type.
  resolveType: (value) => (value as NamedNode).__typename,
  fields: (t) => ({
    id: t.id({
      description:
        'The opaque id of the object. It is unique across all types and regions and is never reused.',
    }),
  }),
});

builder.queryFields((t) => ({
  node: t.field({
    type: NodeInterface,
    nullable: true,
    description: 'The object with the given id; null if there is none or the caller may not see it.',
    args: { id: t.arg.id({ required: true, description: 'An id that this service returned.' }) },
    resolve: async (_, args, ctx) => named(await node(ctx, args)),
  }),
  nodes: t.field({
    type: [NodeInterface],
    nullable: { list: false, items: true },
    description:
      'The objects with the given ids, in the same order; null for each that is missing or hidden.',
    args: {
      ids: t.arg.idList({ required: true, description: 'At most 100 ids that this service returned.' }),
    },
    resolve: async (_, args, ctx) => (await nodes(ctx, args)).map(named),
  }),
}));

type NamedNode = Node & { readonly __typename: TypedNode['type'] };

function named(typed: TypedNode | null): NamedNode | null {
  return typed && { ...typed.node, __typename: typed.type };
}
