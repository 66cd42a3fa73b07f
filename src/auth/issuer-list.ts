import { z } from 'zod';
import { issuerSchema, type IssuerConfig } from './issuer-config.ts';

/**
 * STRONGROOM_ISSUERS as a whole, once parsed as JSON. With one issuer, `organisations` and `roles` left out mean any;
 * one of several must say what it may assert, or a CI system's issuer could make administrators.
 */
export function issuerListSchema(production: boolean) {
  return z
    .array(issuerSchema(production), 'must be a list of issuers')
    .min(1, 'must name at least one issuer')
    .superRefine((entries, context) => {
      const seen = new Set<string>();
      for (const [index, entry] of entries.entries()) {
        const refuse = (member: keyof IssuerConfig, message: string) =>
          context.addIssue({ code: 'custom', path: [index, member], message });
        if (seen.has(entry.issuer)) refuse('issuer', 'must be unique: an earlier entry has the same issuer');
        seen.add(entry.issuer);
        if (entries.length === 1) continue;
        const rule = 'must be stated when there are several issuers ("*" allows any)';
        if (entry.organisations === undefined) refuse('organisations', rule);
        if (entry.roles === undefined) refuse('roles', rule);
      }
    })
    .transform((entries) => entries.map(complete));
}

function complete(entry: z.output<ReturnType<typeof issuerSchema>>): IssuerConfig {
  const { audience, jwksUri, jwks, organisations = '*', roles = '*', ...rest } = entry;
  return {
    ...rest,
    audience: typeof audience === 'string' ? [audience] : audience,
    // The schema has seen to it that exactly one of the two is there.
    keySet: jwksUri ?? jwks ?? { keys: [] },
    organisations,
    roles,
  };
}
