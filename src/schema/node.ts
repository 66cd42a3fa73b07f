import { type Node, node, nodes, type TypedNode } from '../resolvers/node.ts';
import { builder } from './builder.ts';

export const NodeInterface = builder.interfaceRef<Node>('Node').implement({
  description: 'An object with an id, by which `node` and `nodes` fetch it again.',
  // Only `node` and `nodes` answer this interface, and they name the type.
  resolveType: (value) => (value as NamedNode).__typename,
  fields: (t) => ({
    id: t.id({ description: 'The id: opaque, unique over all types and regions, and never reused.' }),
  }),
});

builder.queryFields((t) => ({
  node: t.field({
    type: NodeInterface,
    nullable: true,
    description: 'The object of an id; null when there is none or the caller may not see it.',
    args: { id: t.arg.id({ required: true, description: 'An id that this service gave.' }) },
    resolve: async (_, args, ctx) => named(await node(ctx, args)),
  }),
  nodes: t.field({
    type: [NodeInterface],
    nullable: { list: false, items: true },
    description: 'The objects of several ids, in their order; null for each that is missing or hidden.',
    args: { ids: t.arg.idList({ required: true, description: 'At most 100 ids that this service gave.' }) },
    resolve: async (_, args, ctx) => (await nodes(ctx, args)).map(named),
  }),
}));

type NamedNode = Node & { readonly __typename: TypedNode['type'] };

function named(typed: TypedNode | null): NamedNode | null {
  return typed && { ...typed.node, __typename: typed.type };
}
