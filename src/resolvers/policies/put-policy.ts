import { randomUUID } from 'node:crypto';
import type { Prisma } from '../../db/generated/client.ts';
import type { PolicyRow } from '../../db/policy-row.ts';
import { AccessDeniedError, ConflictError, InvalidInputError } from '../../errors.ts';
import { parsePolicy, type StatementInput, type SubjectInput } from '../../policy/parse-policy.ts';
import { parsePolicyName, policyNameKey } from '../../policy/policy-name.ts';
import type { RequestContext } from '../context/request-context.ts';
import { parseDescription } from '../input/parse-description.ts';
import { parseExpected } from '../input/parse-version-number.ts';
import { regionOf } from '../input/region-of.ts';
import { decisionOn, policyOf } from '../operation/authorise.ts';
import { EventDraft } from '../operation/event-draft.ts';
import { operate } from '../operation/operate.ts';
import type { Operation } from '../operation/operation.ts';
import { policyOfRow } from '../operation/policy-store.ts';
import {
  announcePolicyChange,
  beginPolicyChange,
  type PolicyChange,
  requireGrantable,
} from './policy-change.ts';
import { namedPolicy, type PolicyPayload } from './policy-types.ts';

export interface PutPolicyInput {
  readonly name: string;
  readonly region?: string | null;
  readonly description?: string | null;
  readonly statements: readonly StatementInput[];
  readonly subjects: readonly SubjectInput[];
  readonly expectedObjectVersion?: number | null;
  readonly dryRun: boolean;
}

const MAX_POLICIES = 1_000;
/** Of what all policies of a scope say and whom they bind, as JSON: gateways keep it in memory, and decisions go through it. */
const MAX_CHARACTERS = 2_097_152;

/**
 * Creates a policy in the caller's scope, or replaces it as a whole. A dry run decides, checks and answers the same and
 * saves nothing. Whether the caller may write it is decided from the name alone, before anything is looked for.
 */
export async function putPolicy(ctx: RequestContext, input: PutPolicyInput): Promise<PolicyPayload> {
  const region = regionOf(ctx, input.region, ['input', 'region']);
  const name = parsePolicyName(input.name, ['input', 'name']);
  const description = parseDescription(input.description, ['input', 'description']);
  const content = parsePolicy(input, ['input']);
  const expected = parseExpected(input.expectedObjectVersion, ['input', 'expectedObjectVersion']);
  const draft = () => new EventDraft('policy.put', 'policy', name);
  const done = { written: false };
  try {
    return await operate(ctx, region, draft, async (begun) => {
      if (input.dryRun) begun.event.details['dryRun'] = 'true';
      const change = await beginPolicyChange(begun, name);
      const { operation, existing } = change;
      requireWrite(operation, name);
      requireExpected(existing, expected);
      if (!existing) requireFreeName(change, name);
      const row = nextRow(operation, existing, { name, description, ...content });
      requireRoom(change, row);
      requireGrantable(change, policyOfRow(row), ['input', 'statements']);
      const { event } = operation;
      event.resourceId = row.id;
      event.details['objectVersion'] = String(row.objectVersion);
      event.details['statements'] = String(row.statements.length);
      event.details['subjects'] = String(row.subjects.length);
      if (input.dryRun) return { policy: namedPolicy(row, region) };
      done.written = true;
      await save(operation, row);
      return { policy: namedPolicy(row, region) };
    });
  } finally {
    // Also where the answer to the commit was lost: it may have been done.
    if (done.written) region.policies.forget(ctx.principal.organisation);
  }
}

function requireWrite(operation: Operation, name: string): void {
  const decision = decisionOn(operation, 'POLICY_WRITE', policyOf(name));
  if (decision.allowed) return;
  throw operation.event.deny('POLICY_WRITE', decision.reason, new AccessDeniedError('POLICY_WRITE'));
}

/** 0 stands for a policy that does not exist. */
export function requireExpected(existing: PolicyRow | null, expected: number | null): void {
  const actual = existing?.objectVersion ?? 0;
  if (expected !== null && expected !== actual) {
    throw new ConflictError('policyObjectVersion', expected, actual);
  }
}

function requireFreeName({ operation, rows }: PolicyChange, name: string): void {
  const key = policyNameKey(name);
  const { project } = operation.ctx.principal;
  const refuse = (rule: string) => new InvalidInputError(['input', 'name'], rule);
  const taken = rows.find(({ nameKey }) => nameKey === key);
  if (taken) {
    throw refuse(
      taken.project === project
        ? 'Another policy has this name in other letters, or one that looks like it.'
        : 'A policy of the organisation has this name, or one that looks like it.',
    );
  }
  if (rows.filter((row) => row.project === project).length >= MAX_POLICIES) {
    throw refuse(`A scope has at most ${MAX_POLICIES} policies.`);
  }
}

/** What is there already stays, and may become smaller. */
function requireRoom({ rows, existing }: PolicyChange, next: PolicyRow): void {
  const others = rows.filter((row) => row.project === next.project && row !== existing);
  const characters = others.reduce((sum, row) => sum + charactersOf(row), charactersOf(next));
  if (characters <= MAX_CHARACTERS || (existing && charactersOf(next) <= charactersOf(existing))) return;
  throw new InvalidInputError(
    ['input', 'statements'],
    'The policies of a scope have at most 2 MiB in all: make the statements or the subjects of this one fewer.',
  );
}

function charactersOf({ statements, subjects }: PolicyRow): number {
  return JSON.stringify([statements, subjects]).length;
}

function nextRow(
  { ctx, at }: Operation,
  existing: PolicyRow | null,
  content: Pick<PolicyRow, 'name' | 'description' | 'statements' | 'subjects'>,
): PolicyRow {
  const { organisation, project } = ctx.principal;
  const nameKey = policyNameKey(content.name);
  if (existing) {
    return { ...existing, ...content, objectVersion: existing.objectVersion + 1, updatedAt: at };
  }
  const place = { organisation, project, id: randomUUID(), nameKey };
  return { ...place, ...content, objectVersion: 1, createdAt: at, updatedAt: at };
}

async function save(operation: Operation, row: PolicyRow): Promise<void> {
  const { organisation, id } = row;
  const statements = row.statements as unknown as Prisma.InputJsonArray;
  const subjects = row.subjects as unknown as Prisma.InputJsonArray;
  const data = { ...row, statements, subjects };
  await operation.tx.policy.upsert({
    where: { organisation_id: { organisation, id } },
    create: data,
    update: data,
  });
  await announcePolicyChange(operation);
}
