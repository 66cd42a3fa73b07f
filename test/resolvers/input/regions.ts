import type { RequestContext } from '../../../src/resolvers/context/request-context.ts';

/** A context of which these parsers read the names of the regions and nothing else. */
export function withRegions(...names: string[]): RequestContext {
  return { regions: names.map((name) => ({ name })) } as unknown as RequestContext;
}
