import SchemaBuilder, { BasePlugin, type PothosOutputFieldConfig, type SchemaTypes } from '@pothos/core';
import type { GraphQLFieldResolver } from 'graphql';
import type { RequestContext } from '../resolvers/request-context.ts';

declare global {
  // eslint-disable-next-line @typescript-eslint/no-namespace -- how a Pothos plugin makes itself known
  export namespace PothosSchemaTypes {
    interface Plugins<Types extends SchemaTypes> {
      countObjects: CountObjectsPlugin<Types>;
    }
  }
}

type Resolver = GraphQLFieldResolver<unknown, object, object>;

/** Counts every object that a field answers towards the limit of the request, as soon as its resolver has it. */
class CountObjectsPlugin<Types extends SchemaTypes> extends BasePlugin<Types> {
  override wrapResolve(resolve: Resolver, field: PothosOutputFieldConfig<Types>): Resolver {
    if (!answersObjects(field.type)) return resolve;
    return (parent, args, ctx, info) => {
      const answer: unknown = resolve(parent, args, ctx, info);
      return answer instanceof Promise
        ? answer.then((value: unknown) => counted(ctx as RequestContext, value))
        : counted(ctx as RequestContext, answer);
    };
  }
}

function answersObjects<Types extends SchemaTypes>(type: PothosOutputFieldConfig<Types>['type']): boolean {
  if (type.kind === 'List') return answersObjects(type.type);
  return type.kind === 'Object' || type.kind === 'Interface' || type.kind === 'Union';
}

function counted(ctx: RequestContext, value: unknown): unknown {
  const objects = Array.isArray(value) ? value.filter((item) => item != null).length : value == null ? 0 : 1;
  if (objects > 0) ctx.limits.countObjects(objects);
  return value;
}

SchemaBuilder.registerPlugin('countObjects', CountObjectsPlugin);
