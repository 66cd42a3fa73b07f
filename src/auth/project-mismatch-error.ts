import { RequestError } from '../errors.ts';
import type { Identity } from '../policy/principal.ts';

/**
 * A verified identity asked for a project that its token does not grant, or did not choose one where it must. Carries
 * what the `auth.denied` event tells.
 */
export class ProjectMismatchError extends RequestError {
  readonly identity: Identity;
  /** What `X-Project-Identity` named, within the grammar of names; '' when there was no header. */
  readonly requestedProject: string;

  constructor(identity: Identity, requestedProject: string) {
    super('PROJECT_MISMATCH', 'X-Project-Identity must name a project that the access token grants.');
    this.identity = identity;
    this.requestedProject = requestedProject;
  }
}
