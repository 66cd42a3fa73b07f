import { RequestError } from '../../errors.ts';

export const REQUEST_LIMITS = { objects: 10_000, values: 100 } as const;

/** What one request may cost at run time, over all its fields and aliases. */
export class RequestLimits {
  #objects = 0;
  #values = 0;

  /** Counts objects answered; throws QUERY_TOO_COMPLEX past 10,000. */
  countObjects(objects: number): void {
    this.#objects += objects;
    if (this.#objects > REQUEST_LIMITS.objects) throw tooMany('objects', REQUEST_LIMITS.objects);
  }

  /** Counts values before they are opened; throws QUERY_TOO_COMPLEX past 100. */
  countValues(values: number): void {
    this.#values += values;
    if (this.#values > REQUEST_LIMITS.values) throw tooMany('values', REQUEST_LIMITS.values);
  }
}

function tooMany(what: string, limit: number): RequestError {
  return new RequestError('QUERY_TOO_COMPLEX', `A request answers at most ${limit} ${what}.`);
}
