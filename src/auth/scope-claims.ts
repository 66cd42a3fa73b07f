import { scopeName, scopeNames } from './claim-rules.ts';
import { unauthenticated } from './unauthenticated.ts';

/** What a token says about scope. Without `project` and `projects` it grants every project of the organisation. */
export interface ScopeClaims {
  readonly organisation: string;
  readonly project?: string | undefined;
  readonly projects?: readonly string[] | undefined;
}

/**
 * Judges the claims as the token gives them: undefined is absent, anything else must fit, null and '' included. Throws
 * UNAUTHENTICATED.
 */
export function parseScopeClaims(claims: Readonly<Record<keyof ScopeClaims, unknown>>): ScopeClaims {
  const organisation = scopeName.safeParse(claims.organisation);
  if (!organisation.success) throw unauthenticated('organisation');
  const project = scopeName.optional().safeParse(claims.project);
  if (!project.success) throw unauthenticated('project');
  const projects = scopeNames.optional().safeParse(claims.projects);
  if (!projects.success) throw unauthenticated('projects');
  if (project.data !== undefined && projects.data?.includes(project.data) === false) {
    throw unauthenticated('project is not one of projects');
  }
  return { organisation: organisation.data, project: project.data, projects: projects.data };
}
