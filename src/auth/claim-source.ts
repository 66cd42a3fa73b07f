import { z } from 'zod';
import { JSON_POINTER, resolvePointer } from '../policy/json-pointer.ts';

/** Where a claim stands in the token, or the constant that stands for it: exactly one of the two. */
export interface ClaimSource<T> {
  readonly pointer?: string | undefined;
  readonly value?: T | undefined;
}

const SHAPE = 'must be {"pointer": "/json/pointer"} or {"value": constant}';

const pointer = z
  .string('must be a string')
  .regex(JSON_POINTER, 'must be a JSON Pointer (RFC 6901), such as /organisation')
  .min(1, 'must point below the claims set, such as /organisation');

/** `constant` is the rule for a constant; a claim that is found in a token is judged when it arrives. */
export function claimSource<T extends z.ZodType>(constant: T) {
  return z
    .strictObject({ pointer: pointer.optional(), value: constant.optional() }, SHAPE)
    .refine((source) => (source.pointer === undefined) !== (source.value === undefined), SHAPE);
}

/** The constant, or what the token holds there: undefined when it holds nothing, otherwise not yet judged. */
export function readClaim(source: ClaimSource<unknown>, claims: Readonly<Record<string, unknown>>): unknown {
  return source.pointer === undefined ? source.value : resolvePointer(source.pointer, claims);
}
