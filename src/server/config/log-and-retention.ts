import { z } from 'zod';
import { wholeNumber } from './text-schemas.ts';

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'silent'] as const;

/** STRONGROOM_LOG_LEVEL */
export const logLevel = z.enum(LOG_LEVELS, `must be one of ${LOG_LEVELS.join(', ')}`);
export type LogLevel = z.output<typeof logLevel>;

/** STRONGROOM_AUDIT_RETENTION_DAYS */
export const auditRetentionDays = wholeNumber(
  /^[1-9]\d{0,4}$/,
  1,
  99_999,
  'must be a whole number of days from 1 to 99999',
);
