import { type DeletePolicyPayload, deletePolicy } from '../../resolvers/policies/delete-policy.ts';
import type { PolicyPayload } from '../../resolvers/policies/policy-types.ts';
import { putPolicy } from '../../resolvers/policies/put-policy.ts';
import { builder } from '../builder.ts';
import { EffectEnum, PermissionEnum, PolicySubjectKindEnum } from '../enums.ts';
import { regionOption } from '../input-options.ts';
import { LabelInput } from '../label.ts';
import { outcome } from '../outcome.ts';
import {
  AccessDeniedErrorType,
  ConflictErrorType,
  InvalidInputErrorType,
  NotFoundErrorType,
  resultType,
} from '../user-error.ts';
import { IpConditionInput, TimeConditionInput } from './access-policy.ts';
import { POLICY_TEXTS as TEXTS } from './policy-texts.ts';
import { PolicyType } from './policy.ts';

const PolicyConditionsInput = builder.inputType('PolicyConditionsInput', {
  description: `${TEXTS.conditions} At least one condition is required.`,
  fields: (t) => ({
    ip: t.field({ type: [IpConditionInput], description: TEXTS.ip }),
    time: t.field({ type: [TimeConditionInput], description: TEXTS.time }),
    claims: t.field({
      type: [LabelInput],
      description: `${TEXTS.claims} A statement has at most 16 claims.`,
    }),
  }),
});

const PolicyStatementInput = builder.inputType('PolicyStatementInput', {
  description: TEXTS.statement,
  fields: (t) => ({
    name: t.string({ required: true, description: TEXTS.statementName }),
    effect: t.field({ type: EffectEnum, required: true, description: TEXTS.effect }),
    permissions: t.field({ type: [PermissionEnum], required: true, description: TEXTS.permissions }),
    resources: t.stringList({
      required: true,
      description:
        `${TEXTS.resources} A statement has 1 to 100 resources, each given once, and a policy has at most 1,000. ` +
        'Each permission needs at least one resource of its kind.',
    }),
    conditions: t.field({
      type: PolicyConditionsInput,
      description: 'When the statement applies. If omitted, it always applies.',
    }),
  }),
});

const PolicySubjectInput = builder.inputType('PolicySubjectInput', {
  description: TEXTS.subject,
  fields: (t) => ({
    kind: t.field({ type: PolicySubjectKindEnum, required: true, description: TEXTS.subjectKind }),
    value: t.string({ required: true, description: TEXTS.subjectValue }),
    issuer: t.string({ description: TEXTS.subjectIssuer }),
  }),
});

const expectedObjectVersionOption = {
  description:
    'The objectVersion that the policy must have; 0 stands for a policy that does not exist. If it ' +
    'differs, nothing is changed and the result is a ConflictError. If omitted, there is no check.',
} as const;

const PutPolicyInput = builder.inputType('PutPolicyInput', {
  description: 'The policy to save. An existing policy is replaced as a whole.',
  fields: (t) => ({
    name: t.string({
      required: true,
      description:
        'The name of the policy: 1 to 128 characters of `A-Z a-z 0-9 _ . : -`, beginning with ' +
        'a letter or digit. A name that differs from another only in case or in characters ' +
        'that look alike is refused, and so is any name that looks like a built-in one.',
    }),
    region: t.string(regionOption),
    description: t.string({
      description:
        'What the policy is for, at most 1,024 characters. If omitted, the policy has no description.',
    }),
    statements: t.field({
      type: [PolicyStatementInput],
      required: true,
      description:
        'What the policy allows and denies: 1 to 100 statements, with at most 1,000 CIDRs in total.',
    }),
    subjects: t.field({
      type: [PolicySubjectInput],
      required: true,
      description: 'The subjects that the policy is bound to, at most 100. With none, it is bound to nobody.',
    }),
    expectedObjectVersion: t.int(expectedObjectVersionOption),
    dryRun: t.boolean({
      required: true,
      defaultValue: false,
      description: 'Whether to decide, check and answer as usual but save nothing.',
    }),
  }),
});

const DeletePolicyInput = builder.inputType('DeletePolicyInput', {
  description: 'The policy to delete.',
  fields: (t) => ({
    name: t.string({ required: true, description: 'The exact name of the policy.' }),
    region: t.string(regionOption),
    expectedObjectVersion: t.int(expectedObjectVersionOption),
  }),
});

const PolicyPayloadType = builder.objectRef<PolicyPayload>('PolicyPayload').implement({
  description: 'A policy that was saved or, in a dry run, would have been saved.',
  fields: (t) => ({
    policy: t.expose('policy', { type: PolicyType, description: 'The policy in its resulting state.' }),
  }),
});

const DeletePolicyPayloadType = builder.objectRef<DeletePolicyPayload>('DeletePolicyPayload').implement({
  description: 'A policy that was deleted.',
  fields: (t) => ({ name: t.exposeString('name', { description: 'The name of the deleted policy.' }) }),
});

const PutPolicyResult = resultType('PutPolicyResult', {
  description:
    'The result of putPolicy. An AccessDeniedError names POLICY_WRITE, or a permission that the ' +
    'policy would grant and that its author does not hold. An InvalidInputError with the code ' +
    'POLICY_LOCKOUT means that the policy would take the last POLICY_WRITE from its author.',
  payloads: [PolicyPayloadType],
  errors: [InvalidInputErrorType, AccessDeniedErrorType, ConflictErrorType],
});

const DeletePolicyResult = resultType('DeletePolicyResult', {
  description:
    'The result of deletePolicy. A caller who deletes a DENY must hold ' +
    'what it denied, and must keep a permission to write policies.',
  payloads: [DeletePolicyPayloadType],
  errors: [InvalidInputErrorType, NotFoundErrorType, AccessDeniedErrorType, ConflictErrorType],
});

builder.mutationFields((t) => ({
  putPolicy: t.field({
    type: PutPolicyResult,
    nullable: true,
    description:
      "Creates a policy in the caller's scope, or replaces it. Needs " +
      'POLICY_WRITE. Callers cannot grant what they do not hold.',
    args: { input: t.arg({ type: PutPolicyInput, required: true, description: 'The policy to save.' }) },
    resolve: (_, { input }, ctx) => outcome(putPolicy(ctx, input)),
  }),
  deletePolicy: t.field({
    type: DeletePolicyResult,
    nullable: true,
    description: "Deletes a policy of the caller's scope. Needs POLICY_WRITE.",
    args: { input: t.arg({ type: DeletePolicyInput, required: true, description: 'The policy to delete.' }) },
    resolve: (_, { input }, ctx) => outcome(deletePolicy(ctx, input)),
  }),
}));
