import { type FieldPath, InvalidInputError } from '../../errors.ts';
import type { Region, RequestContext } from '../context/request-context.ts';

/** The region named, or the default one. */
export function regionOf(ctx: RequestContext, name: string | null | undefined, field: FieldPath): Region {
  const region = name == null ? ctx.regions[0] : ctx.regions.find((candidate) => candidate.name === name);
  if (region) return region;
  throw new InvalidInputError(
    field,
    `There is no such region; there is ${ctx.regions.map((r) => r.name).join(', ')}.`,
  );
}
