import type { MatchedStatement } from '../../policy/decide.ts';
import type { PolicySubject, Statement, StatementConditions } from '../../policy/policy.ts';
import { encodeGlobalId } from '../../resolvers/input/global-id.ts';
import { policies } from '../../resolvers/policies/policies.ts';
import type { NamedPolicy } from '../../resolvers/policies/policy-types.ts';
import { policy } from '../../resolvers/policies/policy.ts';
import { builder } from '../builder.ts';
import { connectionType, pageArguments } from '../connection.ts';
import { EffectEnum, PermissionEnum, PolicySubjectKindEnum } from '../enums.ts';
import { regionOption } from '../input-options.ts';
import { LabelType } from '../label.ts';
import { NodeInterface } from '../node.ts';
import { IpConditionType, TimeConditionType } from './access-policy.ts';
import { POLICY_TEXTS as TEXTS } from './policy-texts.ts';

const PolicyConditionsType = builder.objectRef<StatementConditions>('PolicyConditions').implement({
  description: TEXTS.conditions,
  fields: (t) => ({
    ip: t.field({ type: [IpConditionType], description: TEXTS.ip, resolve: ({ ip }) => ip }),
    time: t.field({ type: [TimeConditionType], description: TEXTS.time, resolve: ({ time }) => time }),
    claims: t.field({
      type: [LabelType],
      description: TEXTS.claims,
      resolve: ({ claims }) => claims.map(({ pointer, value }) => ({ key: pointer, value })),
    }),
  }),
});

const PolicyStatementType = builder.objectRef<Statement>('PolicyStatement').implement({
  description: TEXTS.statement,
  fields: (t) => ({
    name: t.exposeString('name', { description: TEXTS.statementName }),
    effect: t.expose('effect', { type: EffectEnum, description: TEXTS.effect }),
    permissions: t.field({
      type: [PermissionEnum],
      description: TEXTS.permissions,
      resolve: (statement) => statement.permissions,
    }),
    resources: t.stringList({
      description: TEXTS.resources,
      resolve: (statement) => statement.resources,
    }),
    conditions: t.expose('conditions', {
      type: PolicyConditionsType,
      nullable: true,
      description: 'When the statement applies; null if it always applies.',
    }),
  }),
});

const PolicySubjectType = builder.objectRef<PolicySubject>('PolicySubject').implement({
  description: TEXTS.subject,
  fields: (t) => ({
    kind: t.expose('kind', { type: PolicySubjectKindEnum, description: TEXTS.subjectKind }),
    value: t.exposeString('value', { description: TEXTS.subjectValue }),
    issuer: t.exposeString('issuer', { nullable: true, description: TEXTS.subjectIssuer }),
  }),
});

export const PolicyType = builder.objectRef<NamedPolicy>('Policy');

PolicyType.implement({
  description: 'A named list of statements on who may do what, with the subjects that they are bound to.',
  interfaces: () => [NodeInterface],
  fields: (t) => ({
    id: t.id({
      description: 'The id of the policy. Pass it to `node` to fetch the policy again.',
      resolve: ({ region, key }) => encodeGlobalId('Policy', region.name, key),
    }),
    name: t.exposeString('name', { description: 'The name of the policy.' }),
    region: t.string({
      description: 'The region in which the policy applies.',
      resolve: ({ region }) => region.name,
    }),
    description: t.exposeString('description', { nullable: true, description: 'What the policy is for.' }),
    builtIn: t.exposeBoolean('builtIn', {
      description: 'Whether the policy is built in: every organisation has it, and nobody can change it.',
    }),
    project: t.string({
      nullable: true,
      description: 'The project in which the policy applies; null if it applies in the whole organisation.',
      resolve: ({ project }) => project || null,
    }),
    statements: t.field({
      type: [PolicyStatementType],
      description: 'What the policy allows and denies.',
      resolve: ({ statements }) => statements,
    }),
    subjects: t.field({
      type: [PolicySubjectType],
      description: 'The subjects that the policy is bound to.',
      resolve: ({ subjects }) => subjects,
    }),
    objectVersion: t.exposeInt('objectVersion', {
      description: 'A number that grows by one with each change. Use it as `expectedObjectVersion`.',
    }),
    createdAt: t.expose('createdAt', {
      type: 'DateTime',
      description: 'When the policy was created; the epoch for a built-in policy.',
    }),
    updatedAt: t.expose('updatedAt', {
      type: 'DateTime',
      description: 'When the policy was last changed; the epoch for a built-in policy.',
    }),
  }),
});

const PolicyConnection = connectionType('Policy', 'policies', PolicyType);

export const MatchedStatementType = builder.objectRef<MatchedStatement>('MatchedStatement').implement({
  description: 'A statement that led to a decision.',
  fields: (t) => ({
    policy: t.exposeString('policy', { description: 'The name of the policy.' }),
    statement: t.string({
      description: 'The name of the statement.',
      resolve: ({ statement }) => statement.name,
    }),
    effect: t.field({
      type: EffectEnum,
      description: TEXTS.effect,
      resolve: ({ statement }) => statement.effect,
    }),
  }),
});

builder.queryFields((t) => ({
  policy: t.field({
    type: PolicyType,
    nullable: true,
    description:
      "The policy with the given name that applies in the caller's scope; null if there " +
      'is none or the caller may not read it (POLICY_READ). If a project and its ' +
      "organisation both have a policy with the name, the project's policy is returned.",
    args: {
      name: t.arg.string({ required: true, description: 'The exact name of the policy.' }),
      region: t.arg.string(regionOption),
    },
    resolve: (_, args, ctx) => policy(ctx, args),
  }),
  policies: t.field({
    type: PolicyConnection,
    nullable: true,
    description:
      "The policies that apply in the caller's scope and that the caller may read (POLICY_READ), " +
      'by name. They include the built-in policies and, in a project, those of the organisation.',
    args: { region: t.arg.string(regionOption), ...pageArguments() },
    resolve: (_, args, ctx) => policies(ctx, args),
  }),
}));
