import { z } from 'zod';
import { parseCidr } from '../../policy/conditions/cidr.ts';
import { listOf } from './text-schemas.ts';

/** STRONGROOM_TRUSTED_PROXIES */
export const trustedProxies = listOf(
  parseCidr,
  'must be CIDRs without host bits, such as 10.0.0.5/32, separated by commas',
);

/** STRONGROOM_CORS_ORIGINS */
export const corsOrigins = listOf(
  (text) => (URL.canParse(text) && new URL(text).origin === text ? text : null),
  'must be origins such as https://app.example.com, separated by commas',
);

/** STRONGROOM_GRAPHIQL */
export function graphiqlSwitch(production: boolean) {
  return z
    .enum(['true', 'false'], 'must be true or false')
    .refine((text) => !(production && text === 'true'), 'must not be true in production')
    .transform((text) => text === 'true');
}
