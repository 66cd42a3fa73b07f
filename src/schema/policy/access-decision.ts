import { type AccessDecision, explainAccess } from '../../resolvers/policies/explain-access.ts';
import { builder } from '../builder.ts';
import { AccessDecisionReasonEnum, PermissionEnum } from '../enums.ts';
import { regionOption } from '../input-options.ts';
import { MatchedStatementType } from './policy.ts';

const AccessDecisionType = builder.objectRef<AccessDecision>('AccessDecision').implement({
  description: 'A decision on a permission, and the reason for it.',
  fields: (t) => ({
    allowed: t.exposeBoolean('allowed', { description: 'Whether the permission is allowed.' }),
    reason: t.expose('reason', {
      type: AccessDecisionReasonEnum,
      description: 'The reason for the decision.',
    }),
    matched: t.field({
      type: [MatchedStatementType],
      description:
        'The statements that led to the decision: the DENY statements or, if there are none, the ALLOW statements.',
      resolve: ({ matched }) => matched,
    }),
    failedConditions: t.stringList({
      description:
        'The conditions that kept statements from applying, by policy, statement and position. They include ' +
        "the conditions of the secret's own access policy that do not pass, if the caller may read the secret.",
      resolve: ({ failedConditions }) => failedConditions,
    }),
  }),
});

const ExplainAccessInput = builder.inputType('ExplainAccessInput', {
  description: 'The decision to explain.',
  fields: (t) => ({
    permission: t.field({
      type: PermissionEnum,
      required: true,
      description: 'The permission to decide on.',
    }),
    resource: t.string({
      required: true,
      description:
        'The resource: `secret:` and a path, `kms-key:` and an identity, `policy:` and a ' +
        'name, or `audit:*`. `*` as an identity or name stands for any that no policy names.',
    }),
    region: t.string(regionOption),
    subject: t.string({
      description:
        'The subject to decide for, together with its issuer. If omitted, ' +
        'the caller is used. Any other subject needs POLICY_READ.',
    }),
    issuer: t.string({ description: 'The issuer of the subject.' }),
    roles: t.stringList({
      description:
        'The roles to decide with, at most 100. Needs POLICY_READ. If omitted, ' +
        "the caller's own roles are used, or none for another subject.",
    }),
    ip: t.string({
      description:
        'The address to decide for. If omitted, the address from which this request comes is used.',
    }),
    at: t.field({
      type: 'DateTime',
      description: 'The time to decide for. If omitted, the current time is used.',
    }),
  }),
});

builder.queryField('explainAccess', (t) =>
  t.field({
    type: AccessDecisionType,
    nullable: true,
    description:
      'Explains the decision on a permission. The answer is the same whether or not the ' +
      'resource exists, unless the caller may read it. A decision for anyone other than ' +
      'the caller needs POLICY_READ on all policies, and their claims count as unknown.',
    args: {
      input: t.arg({ type: ExplainAccessInput, required: true, description: 'The decision to explain.' }),
    },
    resolve: (_, { input }, ctx) => explainAccess(ctx, input),
  }),
);
