import type { DevelopmentIssuer } from '../auth/development-issuer.ts';
import type { Config } from './config/config.ts';
import { DEVELOPMENT_ORGANISATION } from './development-organisation.ts';

const TOKEN_TTL_SECONDS = 12 * 60 * 60;

/** The service, listening. */
export interface Service {
  readonly port: number;
  /** Present where nobody has configured an issuer. */
  readonly developmentIssuer: DevelopmentIssuer | null;
  /** Sentences for whoever started it. */
  readonly notes: readonly string[];
  /** Stops accepting, lets what is in flight finish, and closes the databases. Throws when that was not clean. */
  close(): Promise<void>;
}

/** What whoever started it reads first: where it listens and, in development, how to get in. */
export async function announce(config: Config, service: Service): Promise<string> {
  const host = config.host.includes(':') ? `[${config.host}]` : config.host;
  const url = `http://${host}:${service.port}/graphql`;
  const lines = [...service.notes, `Strongroom listens at ${url}`];
  if (service.developmentIssuer) {
    const token = await service.developmentIssuer.mint({
      ...{ organisation: DEVELOPMENT_ORGANISATION, roles: ['strongroom:admin'], subject: 'developer' },
      ttlSeconds: TOKEN_TTL_SECONDS,
    });
    lines.push(`Token for ${DEVELOPMENT_ORGANISATION}, 12 hours: ${token}`);
    if (config.graphiql) lines.push(`GraphiQL: ${url}#token=${token}`);
  }
  return `${lines.join('\n')}\n`;
}
