import type { z } from 'zod';
import type { Environment, EnvironmentKey } from './environment.ts';

/** Reads variables by their schemas, and collects what is wrong with them: names and rules, never a value. */
export class EnvironmentReader {
  readonly problems: string[] = [];
  readonly #environment: Environment;

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  /** An empty variable counts as not set. */
  get(key: EnvironmentKey): string | undefined {
    return this.#environment[key] || undefined;
  }

  /** The variable, or `otherwise` where it is not set or does not fit its schema. */
  read<T>(key: EnvironmentKey, schema: z.ZodType<T>, otherwise: T): T {
    const text = this.get(key);
    return text === undefined ? otherwise : this.check(key, schema, text, otherwise);
  }

  /** What the schema makes of the input, which the variable gave; `otherwise` where it does not fit. */
  check<T>(key: EnvironmentKey, schema: z.ZodType<T>, input: unknown, otherwise: T): T {
    const { success, data, error } = schema.safeParse(input);
    if (success) return data;
    this.problems.push(`${key} ${describe(error)}`);
    return otherwise;
  }
}

/** Where and which rule; the messages are our own, for zod's would name what it received. */
function describe({ issues }: z.ZodError): string {
  const rule = (issue: z.core.$ZodIssue) =>
    issue.code === 'unrecognized_keys' ? 'has an unknown member' : issue.message;
  return issues.map((issue) => [...issue.path, rule(issue)].join(' ')).join('; ');
}
