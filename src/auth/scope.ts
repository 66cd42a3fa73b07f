import { RequestError } from '../errors.ts';
import { scopeName } from './claim-rules.ts';
import type { ScopeClaims } from './scope-claims.ts';

export interface ProjectChoice {
  /** '' is organisation scope; null: header and claims disagree, or the choice is missing (PROJECT_MISMATCH). */
  readonly project: string | null;
  /** What the header named; '' without a header. */
  readonly requestedProject: string;
}

/**
 * The project that a request acts in (design, Scope). `header` holds every value of `X-Project-Identity` as received;
 * one that is repeated, empty or no name throws BAD_REQUEST. Nothing is repaired and nothing guessed: a list of one
 * project needs the header as well.
 */
export function resolveScope({ project, projects }: ScopeClaims, header: readonly string[]): ProjectChoice {
  const requestedProject = parseHeader(header);
  if (project !== undefined) {
    const agrees = requestedProject === '' || requestedProject === project;
    return { project: agrees ? project : null, requestedProject };
  }
  const granted = projects === undefined || projects.includes(requestedProject);
  return { project: granted ? requestedProject : null, requestedProject };
}

function parseHeader(header: readonly string[]): string {
  if (header.length === 0) return '';
  if (header.length > 1)
    throw new RequestError('BAD_REQUEST', 'X-Project-Identity must be sent at most once.');
  const name = scopeName.safeParse(header[0]);
  if (name.success) return name.data;
  throw new RequestError(
    'BAD_REQUEST',
    'X-Project-Identity must be 1 to 63 of a-z 0-9 and -, and not begin with -.',
  );
}
