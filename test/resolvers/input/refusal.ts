import { expect } from 'vitest';
import { InvalidInputError } from '../../../src/errors.ts';

/** In input that is refused: no message may hold it. */
export const CANARY = 'canary7f3a';

/** The refusal's field, after checking that it quotes nothing and, where given, that it tells the rule. */
export function refusedAt(attempt: () => unknown, rule?: string | RegExp): readonly string[] {
  let made: unknown;
  try {
    made = attempt();
  } catch (error) {
    if (!(error instanceof InvalidInputError)) throw error;
    expect(error.code).toBe('INVALID_INPUT');
    expect(`${error.message} ${error.field.join(' ')}`.toLowerCase()).not.toContain('canary');
    if (rule !== undefined) expect(error.message).toMatch(rule);
    return error.field;
  }
  throw new Error(`It was accepted: ${typeof made}.`);
}
