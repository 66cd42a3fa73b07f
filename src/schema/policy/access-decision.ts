import { type AccessDecision, explainAccess } from '../../resolvers/policies/explain-access.ts';
import { builder } from '../builder.ts';
import { AccessDecisionReasonEnum, PermissionEnum } from '../enums.ts';
import { regionOption } from '../input-options.ts';
import { MatchedStatementType } from './policy.ts';

const AccessDecisionType = builder.objectRef<AccessDecision>('AccessDecision').implement({
  description: 'The decision on a right, and its reason.',
  fields: (t) => ({
    allowed: t.exposeBoolean('allowed', { description: 'Whether it is allowed.' }),
    reason: t.expose('reason', {
      type: AccessDecisionReasonEnum,
      description: 'What the decision rests on.',
    }),
    matched: t.field({
      type: [MatchedStatementType],
      description: 'The statements that decided: the DENYs or, without any, the ALLOWs.',
      resolve: ({ matched }) => matched,
    }),
    failedConditions: t.stringList({
      description:
        'The conditions that kept statements from counting, by policy, statement and position, and those of the ' +
        "secret's access policy that do not pass, for a caller that may read the secret.",
      resolve: ({ failedConditions }) => failedConditions,
    }),
  }),
});

const ExplainAccessInput = builder.inputType('ExplainAccessInput', {
  description: 'Which decision to explain.',
  fields: (t) => ({
    permission: t.field({ type: PermissionEnum, required: true, description: 'The right.' }),
    resource: t.string({
      required: true,
      description:
        'The resource: `secret:` and a path, `kms-key:` and an identity, `policy:` and a name, or `audit:*`. `*` as an identity ' +
        'or name stands for any that no policy names.',
    }),
    region: t.string(regionOption),
    subject: t.string({
      description:
        'The subject to decide about, together with its issuer. Default: the caller. Any other subject needs POLICY_READ.',
    }),
    issuer: t.string({ description: 'The issuer of the subject.' }),
    roles: t.stringList({
      description:
        "The roles to decide with, at most 100. Default: the caller's own; for another subject: none. Needs POLICY_READ.",
    }),
    ip: t.string({
      description: 'The client address to decide for. Default: the one that this request comes from.',
    }),
    at: t.field({ type: 'DateTime', description: 'The time to decide for. Default: now.' }),
  }),
});

builder.queryField('explainAccess', (t) =>
  t.field({
    type: AccessDecisionType,
    nullable: true,
    description:
      'Explains the decision on a right. Unless the caller may read the resource, the answer is the same whether it exists ' +
      'or not. For a subject other than the caller it needs POLICY_READ on all policies, and the claims count as unknown.',
    args: { input: t.arg({ type: ExplainAccessInput, required: true, description: 'Which decision.' }) },
    resolve: (_, { input }, ctx) => explainAccess(ctx, input),
  }),
);
