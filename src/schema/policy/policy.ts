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
      description: 'When the statement counts; null: always.',
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
  description: 'A named list of statements on who may do what, and whom they bind.',
  interfaces: () => [NodeInterface],
  fields: (t) => ({
    id: t.id({
      description: 'The id of the policy for `node`.',
      resolve: ({ region, key }) => encodeGlobalId('Policy', region.name, key),
    }),
    name: t.exposeString('name', { description: 'The name of the policy.' }),
    region: t.string({
      description: 'The region in which the policy holds.',
      resolve: ({ region }) => region.name,
    }),
    description: t.exposeString('description', { nullable: true, description: 'What the policy is for.' }),
    builtIn: t.exposeBoolean('builtIn', {
      description: 'Whether every organisation has it and nobody can change it.',
    }),
    project: t.string({
      nullable: true,
      description: 'The project in which the policy holds; null: in the whole organisation.',
      resolve: ({ project }) => project || null,
    }),
    statements: t.field({
      type: [PolicyStatementType],
      description: 'What the policy allows and denies.',
      resolve: ({ statements }) => statements,
    }),
    subjects: t.field({
      type: [PolicySubjectType],
      description: 'Whom the policy binds.',
      resolve: ({ subjects }) => subjects,
    }),
    objectVersion: t.exposeInt('objectVersion', {
      description: 'Grows by one with each change; for `expectedObjectVersion`.',
    }),
    createdAt: t.expose('createdAt', {
      type: 'DateTime',
      description: 'When the policy was created; the epoch for a built-in one.',
    }),
    updatedAt: t.expose('updatedAt', {
      type: 'DateTime',
      description: 'When the policy was last changed; the epoch for a built-in one.',
    }),
  }),
});

const PolicyConnection = connectionType('Policy', 'policies', PolicyType);

export const MatchedStatementType = builder.objectRef<MatchedStatement>('MatchedStatement').implement({
  description: 'A statement that decided.',
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
      "The policy of a name that holds in the caller's scope; null when there is none or the caller may not read it " +
      "(POLICY_READ). Where a project and its organisation both have one of the name: the project's.",
    args: {
      name: t.arg.string({ required: true, description: 'The name of the policy, exactly.' }),
      region: t.arg.string(regionOption),
    },
    resolve: (_, args, ctx) => policy(ctx, args),
  }),
  policies: t.field({
    type: PolicyConnection,
    nullable: true,
    description:
      "The policies that hold in the caller's scope and that it may read (POLICY_READ), built-in ones and, in a project, " +
      "the organisation's included, by name.",
    args: { region: t.arg.string(regionOption), ...pageArguments() },
    resolve: (_, args, ctx) => policies(ctx, args),
  }),
}));
