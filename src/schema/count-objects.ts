import SchemaBuilder, { BasePlugin, type PothosOutputFieldConfig, type SchemaTypes } from '@pothos/core';
import type { GraphQLFieldResolver } from 'graphql';
import type { RequestContext } from '../resolvers/context/request-context.ts';
import type { RequestLimits } from '../resolvers/context/request-limits.ts';

declare global {
  // eslint-disable-next-line @typescript-eslint/no-namespace -- how a Pothos plugin makes itself known
  export namespace PothosSchemaTypes {
    interface Plugins<Types extends SchemaTypes> {
      countObjects: CountObjectsPlugin<Types>;
    }
  }
}

type Resolver = GraphQLFieldResolver<unknown, object, object>;

/** Counts every object that is looked for towards the limit of the request, those of a list as soon as it is there. */
class CountObjectsPlugin<Types extends SchemaTypes> extends BasePlugin<Types> {
  override wrapResolve(resolve: Resolver, field: PothosOutputFieldConfig<Types>): Resolver {
    // The events of a stream are no answer to one request: they come for as long as it is open.
    if (!answersObjects(field.type) || field.kind === 'Subscription') return resolve;
    return (parent, args, ctx, info) => {
      const { limits } = ctx as RequestContext;
      // Before anything is fetched: past the limit not one more query is sent, and what is not there has cost one too.
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
