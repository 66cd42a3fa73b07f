import type { JSONWebKeySet } from 'jose';
import { z } from 'zod';
import { ALGORITHMS, DEFAULT_ALGORITHMS, type Algorithm } from './algorithms.ts';
import { identityName, roleNames, scopeName, scopeNames } from './claim-rules.ts';
import { claimSource, type ClaimSource } from './claim-source.ts';
import { inlineKeySet, isKeyFor } from './inline-key-set.ts';
import { keySetUrl } from './key-set-url.ts';

/** One trusted issuer of access tokens, as checked: made by `issuerListSchema` and by nothing else. */
export interface IssuerConfig {
  readonly issuer: string;
  /** A token is for us when its `aud` names one of these. */
  readonly audience: readonly string[];
  /** The public keys, or the URL that they are fetched from. */
  readonly keySet: string | JSONWebKeySet;
  readonly algorithms: readonly Algorithm[];
  readonly claims: {
    readonly organisation: ClaimSource<string>;
    readonly project: ClaimSource<string>;
    readonly projects: ClaimSource<readonly string[]>;
    readonly roles: ClaimSource<readonly string[]>;
  };
  /** The organisations whose tokens the issuer may issue. */
  readonly organisations: '*' | readonly string[];
  /** The roles that it may assert. */
  readonly roles: '*' | readonly string[];
  readonly clockSkewSeconds: number;
}

const MAX_CLOCK_SKEW_SECONDS = 60;

const audienceName = z.string('must be a string').min(1, 'must not be empty');
const algorithmNames = Object.keys(ALGORITHMS) as Algorithm[];
const clockSkewRule = `must be a whole number from 0 to ${MAX_CLOCK_SKEW_SECONDS}`;

const claims = z.strictObject(
  {
    organisation: claimSource(scopeName).default({ pointer: '/organisation' }),
    project: claimSource(scopeName).default({ pointer: '/project' }),
    projects: claimSource(scopeNames).default({ pointer: '/projects' }),
    roles: claimSource(roleNames).default({ pointer: '/roles' }),
  },
  { error: (issue) => (issue.code === 'invalid_type' ? 'must be an object' : undefined) },
);

/** One entry of STRONGROOM_ISSUERS. `production` refuses plain http altogether. */
export function issuerSchema(production: boolean) {
  return z
    .strictObject({
      issuer: identityName,
      audience: z.union([audienceName, z.array(audienceName).min(1, 'must not be empty')], {
        error: 'must be a string or a list of strings',
      }),
      jwksUri: keySetUrl(production).optional(),
      jwks: inlineKeySet.optional(),
      algorithms: z
        .array(
          z.enum(algorithmNames, {
            error: `must be one of ${algorithmNames.join(', ')}; symmetric algorithms and none are refused`,
          }),
          'must be a list',
        )
        .min(1, 'must not be empty')
        .default([...DEFAULT_ALGORITHMS]),
      claims: claims.prefault({}),
      organisations: z
        .union([z.literal('*'), scopeNames], {
          error: 'must be "*" or a list of organisations',
        })
        .optional(),
      roles: z
        .union([z.literal('*'), roleNames], {
          error: 'must be "*" or a list of roles',
        })
        .optional(),
      clockSkewSeconds: z
        .int(clockSkewRule)
        .min(0, clockSkewRule)
        .max(MAX_CLOCK_SKEW_SECONDS, clockSkewRule)
        .default(30),
    })
    .superRefine((entry, context) => {
      const refuse = (path: PropertyKey[], message: string) =>
        context.addIssue({ code: 'custom', path, message });
      if ((entry.jwksUri === undefined) === (entry.jwks === undefined)) {
        refuse(['jwks'], 'exactly one of jwksUri and jwks must be given');
      }
      for (const [index, jwk] of entry.jwks?.keys.entries() ?? []) {
        if (!isKeyFor(jwk, entry.algorithms)) {
          refuse(['jwks', 'keys', index], 'must be a signature key for one of the algorithms');
        }
      }
      const { organisation, project, projects } = entry.claims;
      if (organisation.value !== undefined && !allows(entry.organisations, organisation.value)) {
        refuse(['claims', 'organisation', 'value'], 'must be one of organisations');
      }
      if (project.value !== undefined && projects.value?.includes(project.value) === false) {
        refuse(['claims', 'project', 'value'], 'must be one of claims.projects.value');
      }
    });
}

/** Whether a list of the configuration allows a value; left out, like `*`, it allows any. */
export function allows(list: '*' | readonly string[] | undefined, value: string): boolean {
  return list === undefined || list === '*' || list.includes(value);
}
