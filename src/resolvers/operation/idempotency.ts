import { timingSafeEqual } from 'node:crypto';
import type { Statement } from '../../db/statements.ts';
import { InvalidInputError } from '../../errors.ts';
import { canonical } from '../../kms/envelope/canonical.ts';
import { DAY_MS } from './day.ts';
import type { Operation, StatementOperation } from './operation.ts';

/** For so long the result of a call is given again. */
export const RESULT_KEPT_MS = DAY_MS;

const MINE =
  'organisation = $1 AND project = $2 AND issuer = $3 AND subject = $4 AND operation = $5 AND key = $6';
const CLAIM: Statement = {
  name: 'claim-idempotency-key',
  text: `
    INSERT INTO idempotency_record (
      organisation, project, issuer, subject, operation, key, root_key_id, fingerprint, created_at
    ) VALUES ($1, $2, $3, $4, $5, $6, $7, $8::bytea, $9::timestamptz)
    ON CONFLICT DO NOTHING RETURNING key`,
};
const FIND_CLAIM: Statement = {
  name: 'find-idempotency-claim',
  text: `
    SELECT root_key_id AS "rootKeyId", fingerprint, created_at AS "createdAt", resource_id AS "resourceId", version
    FROM idempotency_record WHERE ${MINE}`,
};
const CLAIM_AGAIN: Statement = {
  name: 'claim-idempotency-key-again',
  text: `
    UPDATE idempotency_record
    SET root_key_id = $7, fingerprint = $8::bytea, created_at = $9::timestamptz, resource_id = NULL, version = NULL
    WHERE ${MINE}`,
};
const REMEMBER: Statement = {
  name: 'remember-result',
  text: `UPDATE idempotency_record SET resource_id = $7, version = $8::int WHERE ${MINE}`,
};

interface Claim {
  readonly rootKeyId: string;
  readonly fingerprint: Uint8Array;
  readonly createdAt: Date;
  readonly resourceId: string | null;
  readonly version: number | null;
}

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
  operation: StatementOperation,
  key: string | null,
  input: unknown,
  secretId?: string,
): Promise<FirstResult | null> {
  if (key === null) return null;
  const { region, run, at } = operation;
  const mine = claimOf(operation, key);
  const rootKeyId = region.rootKeys.newestId;
  const fingerprint = new Uint8Array(region.rootKeys.fingerprint(rootKeyId, encode(input)));
  const claim = [...mine, rootKeyId, fingerprint, at];
  const claimed = await run(CLAIM, claim);
  if (claimed.length === 1) return null;
  const [first] = await run<Claim>(FIND_CLAIM, mine);
  if (!first) throw new Error('An idempotency record went away while it was waited for.');
  const expired = at.getTime() - first.createdAt.getTime() >= RESULT_KEPT_MS;
  const ofAnother = secretId !== undefined && first.resourceId !== secretId;
  if (first.resourceId === null || expired || ofAnother) {
    await run(CLAIM_AGAIN, claim);
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
  operation: StatementOperation,
  key: string | null,
  { resourceId, version }: FirstResult,
): Promise<void> {
  if (key === null) return;
  await operation.run(REMEMBER, [...claimOf(operation, key), resourceId, version]);
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

/** The first parameters of every statement. */
function claimOf({ ctx, event }: StatementOperation, key: string): readonly string[] {
  const { organisation, project, issuer, subject } = ctx.principal;
  return [organisation, project, issuer, subject, event.action, key];
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
