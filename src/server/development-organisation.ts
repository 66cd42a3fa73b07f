/** Whose tokens the development issuer's first one is, and whose first KMS key is made at start. */
export const DEVELOPMENT_ORGANISATION = 'acme';
