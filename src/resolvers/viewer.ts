import type { RequestContext } from './context/request-context.ts';

/** Who calls, as the verified token says. */
export interface Viewer {
  readonly subject: string;
  readonly issuer: string;
  readonly organisation: string;
  readonly project: string | null;
  readonly roles: readonly string[];
}

export function viewer(ctx: RequestContext): Viewer {
  const { subject, issuer, organisation, project, roles } = ctx.principal;
  return { subject, issuer, organisation, project: project || null, roles };
}
