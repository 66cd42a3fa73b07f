import { type AccessDecision, explainAccess } from '../../resolvers/policies/explain-access.ts';
import { builder } from '../builder.ts';
import { AccessDecisionReasonEnum, PermissionEnum } from '../enums.ts';
import { regionOption } from '../input-options.ts';
import { MatchedStatementType } from './policy.ts';

const AccessDecisionType = builder.objectRef<AccessDecision>('AccessDecision').implement({
  description: 'What is decided on a right, and why.',
  fields: (t) => ({
    allowed: t.exposeBoolean('allowed', { description: 'Whether it is allowed.' }),
    reason: t.expose('reason', {
      type: AccessDecisionReasonEnum,
      description: 'What the decision rests on.',
    }),
    matched: t.field({
      type: [MatchedStatementType],
      description: 'The statements that made it: the DENYs or, without any, the ALLOWs.',
      resolve: ({ matched }) => matched,
    }),
    failedConditions: t.stringList({
      description:
        'The conditions that kept statements from counting, by policy, statement and position, and those of the ' +
        "secret's own access policy that do not pass, for who may read the secret.",
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
        'On what: `secret:` and a path, `kms-key:` and an identity, `policy:` and a name, or `audit:*`. `*` as an identity ' +
        'or name is any that no policy names.',
    }),
    region: t.string(regionOption),
    subject: t.string({
      description:
        'Whose: a subject, together with its issuer. Left out: the caller. Others need POLICY_READ.',
    }),
    issuer: t.string({ description: 'The issuer of the subject.' }),
    roles: t.stringList({
      description:
        "The roles to decide with, at most 100. Left out: the caller's own; for another subject: none. Needs POLICY_READ.",
    }),
    ip: t.string({ description: 'From which address. Left out: the one that this request comes from.' }),
    at: t.field({ type: 'DateTime', description: 'At what time. Left out: now.' }),
  }),
});

builder.queryField('explainAccess', (t) =>
  t.field({
    type: AccessDecisionType,
    nullable: true,
    description:
      'Explains what is decided on a right: the same for what does not exist as for what does, unless the caller may read ' +
      'it. For others than the caller it needs POLICY_READ on all policies; their claims count as unknown.',
    args: { input: t.arg({ type: ExplainAccessInput, required: true, description: 'Which decision.' }) },
    resolve: (_, { input }, ctx) => explainAccess(ctx, input),
  }),
);
