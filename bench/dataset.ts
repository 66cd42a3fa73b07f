/** The secrets that every candidate holds. */
import { randomBytes } from 'node:crypto';

export interface BenchSecret {
  readonly path: string;
  /** 64 bytes of ASCII. */
  readonly value: string;
  /** The same as the API writes it. */
  readonly base64: string;
}

export const ORGANISATION = 'acme';

const TEAMS = [
  ...['payments', 'identity', 'search', 'billing', 'orders'],
  ...['warehouse', 'platform', 'analytics', 'messaging', 'storefront'],
];
const SERVICES = ['api', 'worker', 'scheduler', 'gateway', 'importer'];
const STAGES = ['production', 'staging', 'test', 'development'];
const NAMES = ['database-password', 'redis-url', 'stripe-api-key', 'session-signing-key', 'smtp-credentials'];

/** 1,000 secrets, such as `/payments/api/production/redis-url`, in an order that leaves neighbours apart. */
export function makeSecrets(): readonly BenchSecret[] {
  return NAMES.flatMap((name) =>
    STAGES.flatMap((stage) =>
      SERVICES.flatMap((service) =>
        TEAMS.map((team) => {
          const value = randomBytes(48).toString('base64url');
          const base64 = Buffer.from(value).toString('base64');
          return { path: `/${team}/${service}/${stage}/${name}`, value, base64 };
        }),
      ),
    ),
  );
}
