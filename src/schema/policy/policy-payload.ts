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
  description: `${TEXTS.conditions} At least one condition is given.`,
  fields: (t) => ({
    ip: t.field({ type: [IpConditionInput], description: TEXTS.ip }),
    time: t.field({ type: [TimeConditionInput], description: TEXTS.time }),
    claims: t.field({ type: [LabelInput], description: `${TEXTS.claims} At most 16 in a statement.` }),
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
      description: `${TEXTS.resources} 1 to 100, each once, and 1,000 in a policy; one at least of the kind of each permission.`,
    }),
    conditions: t.field({
      type: PolicyConditionsInput,
      description: 'When the statement counts. If omitted, there is no such check.',
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
    "Change only if this is the policy's objectVersion now; 0 stands for a policy that does not exist. Otherwise the " +
    'answer is a ConflictError. If omitted, there is no such check.',
} as const;

const PutPolicyInput = builder.inputType('PutPolicyInput', {
  description: 'The whole new state of a policy. An existing policy is replaced completely.',
  fields: (t) => ({
    name: t.string({
      required: true,
      description:
        'The name: 1 to 128 of `A-Z a-z 0-9 _ . : -`, beginning with a letter or digit. One that differs from another ' +
        'only in case or in characters that look alike is refused, and so is one that looks like a built-in one.',
    }),
    region: t.string(regionOption),
    description: t.string({
      description: 'What the policy is for, at most 1,024 characters. Default: nothing.',
    }),
    statements: t.field({
      type: [PolicyStatementInput],
      required: true,
      description: 'What the policy allows and denies: 1 to 100 statements, with at most 1,000 CIDRs in all.',
    }),
    subjects: t.field({
      type: [PolicySubjectInput],
      required: true,
      description: 'Whom the policy binds: at most 100; with none it binds nobody.',
    }),
    expectedObjectVersion: t.int(expectedObjectVersionOption),
    dryRun: t.boolean({
      required: true,
      defaultValue: false,
      description: 'Decide, check and answer as usual, but save nothing.',
    }),
  }),
});

const DeletePolicyInput = builder.inputType('DeletePolicyInput', {
  description: 'Which policy to delete.',
  fields: (t) => ({
    name: t.string({ required: true, description: 'The name of the policy, exactly.' }),
    region: t.string(regionOption),
    expectedObjectVersion: t.int(expectedObjectVersionOption),
  }),
});

const PolicyPayloadType = builder.objectRef<PolicyPayload>('PolicyPayload').implement({
  description: 'A policy that was saved or, in a dry run, would have been.',
  fields: (t) => ({
    policy: t.expose('policy', { type: PolicyType, description: 'The policy after that.' }),
  }),
});

const DeletePolicyPayloadType = builder.objectRef<DeletePolicyPayload>('DeletePolicyPayload').implement({
  description: 'A policy that was deleted.',
  fields: (t) => ({ name: t.exposeString('name', { description: 'The name that the policy had.' }) }),
});

const PutPolicyResult = resultType('PutPolicyResult', {
  description:
    'The result of putPolicy. An AccessDeniedError names POLICY_WRITE, or a right that the policy would give and the author ' +
    'does not hold; an InvalidInputError of the code POLICY_LOCKOUT one that would take the last POLICY_WRITE from its author.',
  payloads: [PolicyPayloadType],
  errors: [InvalidInputErrorType, AccessDeniedErrorType, ConflictErrorType],
});

const DeletePolicyResult = resultType('DeletePolicyResult', {
  description:
    'The result of deletePolicy. A caller that deletes a DENY must hold what it denied, and must keep a right to write policies.',
  payloads: [DeletePolicyPayloadType],
  errors: [InvalidInputErrorType, NotFoundErrorType, AccessDeniedErrorType, ConflictErrorType],
});

builder.mutationFields((t) => ({
  putPolicy: t.field({
    type: PutPolicyResult,
    nullable: true,
    description:
      'Creates a policy in the scope of the caller, or replaces it (POLICY_WRITE). An author cannot grant a right that it does not hold.',
    args: { input: t.arg({ type: PutPolicyInput, required: true, description: 'The policy.' }) },
    resolve: (_, { input }, ctx) => outcome(putPolicy(ctx, input)),
  }),
  deletePolicy: t.field({
    type: DeletePolicyResult,
    nullable: true,
    description: 'Deletes a policy of the scope of the caller (POLICY_WRITE).',
    args: { input: t.arg({ type: DeletePolicyInput, required: true, description: 'Which one.' }) },
    resolve: (_, { input }, ctx) => outcome(deletePolicy(ctx, input)),
  }),
}));
