/** The syntax of a JSON Pointer (RFC 6901 section 3). */
export const JSON_POINTER = /^(?:\/(?:[^~/]|~[01])*)*$/;

const ARRAY_INDEX = /^(?:0|[1-9][0-9]*)$/;

/**
 * Evaluates a JSON Pointer (RFC 6901) against a value as JSON.parse gives it. Returns undefined where there is
 * nothing; throws a SyntaxError when the pointer breaks the syntax. Only own properties count: `/constructor` and
 * `/__proto__` find what the JSON holds under that name, never what JavaScript adds.
 */
export function resolvePointer(pointer: string, value: unknown): unknown {
  if (!JSON_POINTER.test(pointer)) throw new SyntaxError('not a JSON Pointer (RFC 6901)');
  let at = value;
  for (const token of pointer.split('/').slice(1)) {
    // In this order: `~01` stands for `~1`, not for `/`.
    const name = token.replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, name)) return undefined;
    // An array has own properties that are not JSON, such as `length`.
    if (Array.isArray(at) && !ARRAY_INDEX.test(name)) return undefined;
    at = (at as Record<string, unknown>)[name];
  }
  return at;
}
