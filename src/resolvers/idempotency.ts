import { timingSafeEqual } from 'node:crypto';
import { InvalidInputError } from '../errors.ts';
import { canonical } from '../kms/canonical.ts';
import { DAY_MS } from './day.ts';
import type { Operation } from './operate.ts';

/** For so long the result of a call is given again. */
export const RESULT_KEPT_MS = DAY_MS;

/** What came of the first call with an idempotency key: which secret and version, or which KMS key. */
export interface FirstResult {
  readonly resourceId: string;
  readonly version: number | null;
}

/**
 * Claims an idempotency key for this operation, or answers what the first call with it made. A twin that runs at the same
 * time is waited for: its claim is a row of its transaction. A failed call leaves no claim. Throws
 * IDEMPOTENCY_KEY_REUSED when the first call's input was another one. `input` is all that the caller sent but the key.
 * With `secretId`, what was done to another secret, once at the same path, does not count.
 */
export async function claimIdempotencyKey(
  operation: Operation,
  key: string | null,
  input: unknown,
  secretId?: string,
): Promise<FirstResult | null> {
  if (key === null) return null;
  const { region, tx, at } = operation;
  const where = claimOf(operation, key);
  const rootKeyId = region.rootKeys.newestId;
  const fingerprint = new Uint8Array(region.rootKeys.fingerprint(rootKeyId, encode(input)));
  const claim = { ...where, rootKeyId, fingerprint, createdAt: at };
  const { count } = await tx.idempotencyRecord.createMany({ data: [claim], skipDuplicates: true });
  if (count === 1) return null;
  const first = await tx.idempotencyRecord.findUniqueOrThrow({ where: { claim: where } });
  const expired = at.getTime() - first.createdAt.getTime() >= RESULT_KEPT_MS;
  const ofAnother = secretId !== undefined && first.resourceId !== secretId;
  if (first.resourceId === null || expired || ofAnother) {
    await tx.idempotencyRecord.update({
      where: { claim: where },
      data: { rootKeyId, fingerprint, createdAt: at, resourceId: null, version: null },
    });
    return null;
  }
  const known = region.rootKeys.has(first.rootKeyId);
  if (
    !known ||
    !timingSafeEqual(first.fingerprint, region.rootKeys.fingerprint(first.rootKeyId, encode(input)))
  ) {
    throw new InvalidInputError(
      ['input', 'idempotencyKey'],
      'This idempotency key was used with another input.',
      'IDEMPOTENCY_KEY_REUSED',
    );
  }
  operation.event.details['replayed'] = 'true';
  return { resourceId: first.resourceId, version: first.version };
}

/** Remembers what came of the call, for the next with the same key. */
export async function rememberResult(
  operation: Operation,
  key: string | null,
  result: FirstResult,
): Promise<void> {
  if (key === null) return;
  await operation.tx.idempotencyRecord.update({
    where: { claim: claimOf(operation, key) },
    data: { ...result },
  });
}

/** Forgets the calls that made a version, or all that made a secret: their result cannot be given again. */
export async function forgetResults(
  { ctx, tx }: Pick<Operation, 'ctx' | 'tx'>,
  resourceId: string,
  version?: number,
): Promise<void> {
  await tx.idempotencyRecord.deleteMany({
    where: {
      organisation: ctx.principal.organisation,
      resourceId,
      ...(version === undefined ? {} : { version }),
    },
  });
}

function claimOf({ ctx, event }: Operation, key: string) {
  const { organisation, project, issuer, subject } = ctx.principal;
  return { organisation, project, issuer, subject, operation: event.action, key };
}

/** The input with its members in order and what is null left out, so that the same input has the same bytes. */
function encode(input: unknown): Buffer {
  const sorted = JSON.stringify(input, (_, value: unknown) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
    const members = Object.entries(value).filter(
      ([name, member]) => member != null && name !== 'idempotencyKey',
    );
    return Object.fromEntries(members.sort(([a], [b]) => (a < b ? -1 : 1)));
  });
  return canonical(['strongroom/idempotency/1', sorted]);
}
