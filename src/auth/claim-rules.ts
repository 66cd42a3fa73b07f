import { z } from 'zod';

/** Names of organisations and projects, compared bytewise. */
const SCOPE_NAME = /^[a-z0-9][a-z0-9-]{0,62}$/;
const MAX_ROLES = 100;

/**
 * Text that names somebody. No control characters; no lone surrogates either, because on its way into UTF-8 each of
 * them becomes U+FFFD, which would make one identity out of two.
 */
const nameRule = (maxCharacters: number) => new RegExp(`^[^\\p{Cc}\\p{Cs}]{1,${maxCharacters}}$`, 'u');

export const scopeName = z
  .string('must be a string')
  .regex(SCOPE_NAME, 'must be 1 to 63 of a-z 0-9 and -, and not begin with -');

export const scopeNames = z.array(scopeName, 'must be a list').min(1, 'must not be empty');

const roleName = z
  .string('must be a string')
  .regex(nameRule(128), 'must be 1 to 128 characters, none of them a control character');

export const roleNames = z
  .array(roleName, 'must be a list')
  .max(MAX_ROLES, `must have at most ${MAX_ROLES} roles`);

/** Subjects and issuers: together they are an identity. */
export const identityName = z
  .string('must be a string')
  .regex(nameRule(255), 'must be 1 to 255 characters, none of them a control character');
