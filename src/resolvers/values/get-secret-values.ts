import { InvalidInputError } from '../../errors.ts';
import type { ReadRequest, ReadOutcome } from '../context/reads.ts';
import type { RequestContext } from '../context/request-context.ts';
import { regionOf } from '../input/region-of.ts';
import { parseReadRequest } from './parse-read-request.ts';
import { readValues } from './read-values.ts';

export interface GetSecretValuesInput {
  readonly region?: string | null;
  readonly secrets: readonly {
    readonly path: string;
    readonly version?: number | null;
    readonly keys?: readonly string[] | null;
  }[];
}

export interface GetSecretValuesPayload {
  readonly results: readonly ReadOutcome[];
}

const MAX_BATCH = 100;

/** Reads 1 to 100 values in one transaction; each succeeds or fails by itself, and the results keep the order. */
export async function getSecretValues(
  ctx: RequestContext,
  input: GetSecretValuesInput,
): Promise<GetSecretValuesPayload> {
  const region = regionOf(ctx, input.region, ['input', 'region']);
  const field = ['input', 'secrets'];
  if (input.secrets.length < 1 || input.secrets.length > MAX_BATCH) {
    throw new InvalidInputError(field, `A batch has 1 to ${MAX_BATCH} secrets.`);
  }
  const parsed = input.secrets.map((item, index) => {
    try {
      return parseReadRequest(item, [...field, String(index)]);
    } catch (error) {
      if (error instanceof InvalidInputError) return error;
      throw error;
    }
  });
  const outcomes = await readValues(
    ctx,
    region,
    parsed.filter((request): request is ReadRequest => !(request instanceof InvalidInputError)),
  );
  const remaining = outcomes.values();
  return {
    results: parsed.map((request) => {
      const outcome = request instanceof InvalidInputError ? request : remaining.next().value;
      if (!outcome) throw new Error('A read has no outcome.');
      return outcome;
    }),
  };
}
