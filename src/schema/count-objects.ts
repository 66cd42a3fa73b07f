import SchemaBuilder, { BasePlugin, type PothosOutputFieldConfig, type SchemaTypes } from '@pothos/core';
import type { GraphQLFieldResolver } from 'graphql';
import type { RequestContext } from '../resolvers/context/request-context.ts';
import type { RequestLimits } from '../resolvers/context/request-limits.ts';

declare global {
  // eslint-disable-next-line @typescript-eslint/no-namespace -- how a Pothos plugin declares itself
  export namespace PothosSchemaTypes {
    interface Plugins<Types extends SchemaTypes> {
      countObjects: CountObjectsPlugin<Types>;
    }
  }
}

type Resolver = GraphQLFieldResolver<unknown, object, object>;

/** Counts every object lookup towards the limit of the request, and the items of a list once the list is resolved. */
class CountObjectsPlugin<Types extends SchemaTypes> extends BasePlugin<Types> {
  override wrapResolve(resolve: Resolver, field: PothosOutputFieldConfig<Types>): Resolver {
    // The events of a stream do not answer one request: they arrive for as long as the stream is open.
    if (!answersObjects(field.type) || field.kind === 'Subscription') return resolve;
    return (parent, args, ctx, info) => {
      const { limits } = ctx as RequestContext;
      // Counted before the fetch: past the limit, no further query is sent, and a lookup that finds nothing counts too.
      limits.countObjects(1);
      const answer: unknown = resolve(parent, args, ctx, info);
      return answer instanceof Promise
        ? answer.then((value: unknown) => counted(limits, value))
        : counted(limits, answer);
    };
  }
}

function answersObjects<Types extends SchemaTypes>(type: PothosOutputFieldConfig<Types>['type']): boolean {
  if (type.kind === 'List') return answersObjects(type.type);
  return type.kind === 'Object' || type.kind === 'Interface' || type.kind === 'Union';
}

function counted(limits: RequestLimits, value: unknown): unknown {
  if (Array.isArray(value)) limits.countObjects(value.length);
  return value;
}

SchemaBuilder.registerPlugin('countObjects', CountObjectsPlugin);
