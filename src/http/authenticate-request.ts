import type { IncomingMessage } from 'node:http';
import { record } from '../audit/record.ts';
import type { Authenticate } from '../auth/authenticate.ts';
import { ProjectMismatchError } from '../auth/project-mismatch-error.ts';
import { RequestError } from '../errors.ts';
import type { Principal } from '../policy/principal.ts';
import type { Region } from '../resolvers/context/request-context.ts';
import { headerValues } from './header-values.ts';
import type { Metrics } from './metrics.ts';

export interface AuthenticateOptions {
  readonly authenticate: Authenticate;
  readonly regions: readonly Region[];
  readonly now: () => Date;
  readonly metrics: Metrics;
}

/** Where a request came from. */
export interface Origin {
  readonly requestId: string;
  readonly sourceIp: string | null;
  readonly userAgent: string | null;
}

/** The verified principal. One that is refused for its scope leaves an event; a token that does not verify, a count. */
export async function authenticateRequest(
  { authenticate, regions, now, metrics }: AuthenticateOptions,
  request: IncomingMessage,
  origin: Origin,
): Promise<Principal> {
  try {
    return await authenticate(
      {
        authorization: headerValues(request, 'authorization'),
        project: headerValues(request, 'x-project-identity'),
      },
      now(),
    );
  } catch (error) {
    if (error instanceof RequestError) metrics.refuse(error.code);
    const [region] = regions;
    if (error instanceof ProjectMismatchError && region) await recordMismatch(region, error, origin, now());
    throw error;
  }
}

async function recordMismatch(
  { db, name }: Region,
  { code, identity, requestedProject }: ProjectMismatchError,
  origin: Origin,
  at: Date,
): Promise<void> {
  const event = {
    ...({ action: 'auth.denied', outcome: 'DENIED', errorCode: code, resourceType: 'audit' } as const),
    ...{ resource: null, resourceId: null, version: null, details: { requestedProject }, effects: [] },
  };
  await db.transaction((tx) => record(tx, name, { ...identity, project: '', ...origin }, at, [event]));
}
