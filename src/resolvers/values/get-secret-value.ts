import type { SecretValue } from '../context/reads.ts';
import type { RequestContext } from '../context/request-context.ts';
import { regionOf } from '../input/region-of.ts';
import { parseReadRequest } from './parse-read-request.ts';
import { readValues } from './read-values.ts';

export interface GetSecretValueInput {
  readonly path: string;
  readonly region?: string | null;
  readonly version?: number | null;
  readonly keys?: readonly string[] | null;
}

/** Reads a value: the current version, or the one of a number. */
export async function getSecretValue(ctx: RequestContext, input: GetSecretValueInput): Promise<SecretValue> {
  const region = regionOf(ctx, input.region, ['input', 'region']);
  const request = parseReadRequest(input, ['input']);
  const [outcome] = await readValues(ctx, region, [request]);
  if (!outcome) throw new Error('A read has no outcome.');
  if (outcome instanceof Error) throw outcome;
  return outcome;
}
