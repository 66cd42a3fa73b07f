import { randomUUID } from 'node:crypto';
import { Prisma } from '../../db/generated/client.ts';
import { SECRET_COLUMNS, type SecretRow } from '../../db/secret-row.ts';
import { AccessDeniedError, AlreadyExistsError, NotFoundError } from '../../errors.ts';
import { type SecretContent, zeroEntries } from '../../kms/envelope/envelope.ts';
import {
  type AccessPolicy,
  type AccessPolicyInput,
  parseAccessPolicy,
} from '../../policy/conditions/access-policy.ts';
import { parseSecretPath } from '../../policy/secret-path.ts';
import type { RequestContext } from '../context/request-context.ts';
import { parseDescription } from '../input/parse-description.ts';
import { parseIdempotencyKey } from '../input/parse-idempotency-key.ts';
import { type LabelInput, parseAnnotations, parseLabels } from '../input/parse-labels.ts';
import { parseSecretValue, type SecretValueInput } from '../input/parse-secret-value.ts';
import { regionOf } from '../input/region-of.ts';
import { requireCleanText } from '../input/require-clean-text.ts';
import { decisionOn, requireOnKmsKey, secretAt } from '../operation/authorise.ts';
import { EventDraft } from '../operation/event-draft.ts';
import { claimIdempotencyKey, rememberResult } from '../operation/idempotency.ts';
import { operate } from '../operation/operate.ts';
import type { Operation } from '../operation/operation.ts';
import { replayed } from '../rows/replayed.ts';
import { type SecretVersionPayload, secretVersionPayload } from '../rows/secret-types.ts';
import { lockKmsKey, usableKey } from '../rows/usable-key.ts';
import { insertVersion, sealVersion } from '../rows/versions.ts';

export interface CreateSecretInput {
  readonly path: string;
  readonly region?: string | null;
  readonly kmsKeyIdentity: string;
  readonly value: SecretValueInput;
  readonly description?: string | null;
  readonly labels?: readonly LabelInput[] | null;
  readonly annotations?: readonly LabelInput[] | null;
  readonly accessPolicy?: AccessPolicyInput | null;
  readonly idempotencyKey?: string | null;
}

interface Metadata {
  readonly path: string;
  readonly kmsKeyIdentity: string;
  readonly description: string | null;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly accessPolicy: AccessPolicy | null;
}

/**
 * Creates a secret with its version 1. Whether the caller may create at the path is decided before anything is looked
 * for there; a KMS key of another scope, or one that the caller may not see, is missing.
 */
export async function createSecret(
  ctx: RequestContext,
  input: CreateSecretInput,
): Promise<SecretVersionPayload> {
  const region = regionOf(ctx, input.region, ['input', 'region']);
  const metadata = parseMetadata(input);
  const idempotencyKey = parseIdempotencyKey(input.idempotencyKey, ['input', 'idempotencyKey']);
  const content = parseSecretValue(input.value, ['input', 'value']);
  const id = randomUUID();
  const draft = () => new EventDraft('secret.create', 'secret', metadata.path);
  try {
    return await operate(ctx, region, draft, async (operation) => {
      requireCreate(operation, metadata.path);
      requireOnKmsKey(operation, 'KMS_KEY_USE', metadata.kmsKeyIdentity);
      const first = await claimIdempotencyKey(operation, idempotencyKey, input);
      if (first) return replayed(operation, first);
      return create(operation, id, metadata, content, idempotencyKey);
    });
  } finally {
    zeroEntries(content.entries);
  }
}

/** Existence is no part of the answer: only the path that the caller named. */
export function requireCreate(operation: Pick<Operation, 'ctx' | 'facts' | 'event'>, path: string): void {
  const decision = decisionOn(operation, 'SECRET_CREATE', secretAt(path));
  if (!decision.allowed) {
    throw operation.event.deny('SECRET_CREATE', decision.reason, new AccessDeniedError('SECRET_CREATE'));
  }
}

async function create(
  operation: Operation,
  id: string,
  metadata: Metadata,
  content: SecretContent,
  idempotencyKey: string | null,
): Promise<SecretVersionPayload> {
  const { ctx, region, tx, run, event } = operation;
  const kmsKey = await lockKmsKey(tx, ctx.principal, metadata.kmsKeyIdentity);
  if (!kmsKey) throw new NotFoundError('kmsKey');
  const key = await usableKey(operation, kmsKey);
  const secret = await insertSecret(operation, id, metadata);
  if (!secret) throw new AlreadyExistsError('path');
  event.resourceId = secret.id;
  event.version = 1;
  const version = await sealVersion(operation, secret, 1, key, content);
  await insertVersion(run, version);
  await rememberResult(operation, idempotencyKey, { resourceId: secret.id, version: 1 });
  return secretVersionPayload(operation, region, secret, version);
}

/** null when the path is taken; whoever takes it at the same moment is waited for. */
async function insertSecret(
  { ctx, tx, at }: Operation,
  id: string,
  metadata: Metadata,
): Promise<SecretRow | null> {
  const { organisation, project, subject, issuer } = ctx.principal;
  const { path, kmsKeyIdentity, description, labels, annotations, accessPolicy } = metadata;
  const json = (value: object | null) =>
    value ? Prisma.sql`${JSON.stringify(value)}::jsonb` : Prisma.sql`NULL`;
  const rows = await tx.$queryRaw<SecretRow[]>`
    INSERT INTO secret AS s (
      organisation, id, project, path, kms_key_identity, description, labels, annotations, access_policy,
      latest_version, current_version, object_version, created_at, created_by_subject, created_by_issuer, updated_at
    ) VALUES (
      ${organisation}, ${id}::uuid, ${project}, ${path}, ${kmsKeyIdentity}, ${description},
      ${json(labels)}, ${json(annotations)}, ${json(accessPolicy)}, 1, 1, 1, ${at}, ${subject}, ${issuer}, ${at}
    )
    ON CONFLICT (organisation, project, path_key) WHERE deleted_at IS NULL DO NOTHING
    RETURNING ${SECRET_COLUMNS}`;
  return rows[0] ?? null;
}

function parseMetadata(input: CreateSecretInput): Metadata {
  const { accessPolicy } = input;
  requireCleanText(input.kmsKeyIdentity, ['input', 'kmsKeyIdentity'], 'line');
  return {
    path: parseSecretPath(input.path, ['input', 'path']),
    kmsKeyIdentity: input.kmsKeyIdentity,
    description: parseDescription(input.description, ['input', 'description']),
    labels: parseLabels(input.labels ?? [], ['input', 'labels']),
    annotations: parseAnnotations(input.annotations ?? [], ['input', 'annotations']),
    accessPolicy: accessPolicy == null ? null : parseAccessPolicy(accessPolicy, ['input', 'accessPolicy']),
  };
}
