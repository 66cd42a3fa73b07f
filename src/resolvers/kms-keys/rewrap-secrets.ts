import { setTimeout as pause } from 'node:timers/promises';
import { Prisma } from '../../db/generated/client.ts';
import { DecryptionFailedError, NotFoundError } from '../../errors.ts';
import type { SecretValueFormat } from '../../kms/envelope/envelope.ts';
import { rewrapDataKey } from '../../kms/envelope/envelope.ts';
import type { RequestContext } from '../context/request-context.ts';
import { regionOf } from '../input/region-of.ts';
import { requireCleanText } from '../input/require-clean-text.ts';
import { requireOnKmsKey } from '../operation/authorise.ts';
import { EventDraft } from '../operation/event-draft.ts';
import { operate } from '../operation/operate.ts';
import type { Operation } from '../operation/operation.ts';
import type { KmsKey } from '../rows/secret-types.ts';
import {
  findKmsKey,
  type KmsKey as KmsKeyRow,
  type UsableKey,
  usableKey,
  useKey,
} from '../rows/usable-key.ts';
import { envelopeContext } from '../rows/versions.ts';
import { kmsKeyPayload } from './change-kms-key.ts';

export interface RewrapSecretsInput {
  readonly kmsKeyIdentity: string;
  readonly region?: string | null;
}

/** `rewrapped` by this call; `remaining` are still under older versions. `kmsKey` is null without KMS_KEY_READ. */
export interface RewrapSecretsPayload {
  readonly kmsKey: KmsKey | null;
  readonly rewrapped: number;
  readonly remaining: number;
}

const BATCH = 100;
const MOST_A_CALL = 2_000;
const CALL_MS = 10_000;

/**
 * Moves data keys from a key's older versions to its newest, without opening a value: at most 2,000 versions or for 10
 * seconds a call, in transactions of 100 that lock nothing but those versions. Call it again until nothing remains. A
 * data key that does not open is passed over and remains.
 */
export async function rewrapSecrets(
  ctx: RequestContext,
  input: RewrapSecretsInput,
): Promise<RewrapSecretsPayload> {
  const region = regionOf(ctx, input.region, ['input', 'region']);
  const identity = input.kmsKeyIdentity;
  requireCleanText(identity, ['input', 'kmsKeyIdentity'], 'line');
  const draft = () => new EventDraft('kms.rewrap', 'kms-key', identity);
  const until = performance.now() + CALL_MS;
  let position: Position = FIRST;
  for (let rewrapped = 0; ;) {
    const batch = await operate(ctx, region, draft, (operation) =>
      rewrapBatch(operation, identity, position),
    );
    rewrapped += batch.rewrapped;
    if (batch.last && rewrapped < MOST_A_CALL && performance.now() < until) {
      position = batch.last;
      await pause(0);
      continue;
    }
    return { kmsKey: batch.kmsKey, rewrapped, remaining: batch.remaining };
  }
}

interface Position {
  readonly secretId: string;
  readonly number: number;
}
const FIRST: Position = { secretId: '00000000-0000-0000-0000-000000000000', number: 0 };

interface Batch {
  readonly kmsKey: KmsKey | null;
  readonly rewrapped: number;
  readonly remaining: number;
  /** Where the next batch goes on; null when this was the last. */
  readonly last: Position | null;
}

async function rewrapBatch(operation: Operation, identity: string, after: Position): Promise<Batch> {
  const { ctx, tx, event } = operation;
  const key = await findKmsKey(tx, ctx.principal, identity);
  if (!key) throw new NotFoundError('kmsKey');
  requireOnKmsKey(operation, 'KMS_KEY_UPDATE', identity);
  const to = await usableKey(operation, key, key.latestVersion);
  event.version = to.generation.number;
  const rows = await lockOlder(operation, key, after);
  const rewrapped = await rewrapAll(operation, key, to, rows);
  await writeAll(operation, key, to.generation.number, rewrapped);
  const remaining = await tx.secretVersion.count({ where: olderThan(key, to.generation.number) });
  event.details['rewrapped'] = String(rewrapped.length);
  event.details['remaining'] = String(remaining);
  const last = rows.at(-1);
  const { kmsKey } = kmsKeyPayload(operation, key);
  return {
    kmsKey,
    remaining,
    rewrapped: rewrapped.length,
    last: rows.length === BATCH && last ? last : null,
  };
}

function olderThan({ organisation, identity }: KmsKeyRow, number: number) {
  const status = 'ACTIVE' as const;
  return { organisation, kmsKeyIdentity: identity, status, kmsKeyVersion: { lt: number } };
}

interface OlderVersion extends Position {
  readonly valueFormat: SecretValueFormat;
  readonly kmsKeyVersion: number;
  readonly wrappedDataKey: Uint8Array;
  readonly project: string;
  readonly path: string;
}

/** Versions that nobody else changes now. Their paths are read once they are locked: a move waits for that lock. */
async function lockOlder({ tx }: Operation, key: KmsKeyRow, after: Position): Promise<OlderVersion[]> {
  const { organisation, identity, latestVersion } = key;
  const locked = await tx.$queryRaw<Position[]>`
    SELECT v.secret_id AS "secretId", v.number FROM secret_version v
    WHERE v.organisation = ${organisation} AND v.kms_key_identity = ${identity} AND v.status = 'ACTIVE'
      AND v.kms_key_version < ${latestVersion}
      AND (v.secret_id, v.number) > (${after.secretId}::uuid, ${after.number})
    ORDER BY v.secret_id, v.number LIMIT ${BATCH} FOR UPDATE SKIP LOCKED`;
  if (locked.length === 0) return [];
  const places = locked.map(({ secretId, number }) => Prisma.sql`(${secretId}::uuid, ${number}::int)`);
  return tx.$queryRaw<OlderVersion[]>`
    SELECT v.secret_id AS "secretId", v.number, v.value_format AS "valueFormat", v.kms_key_version AS "kmsKeyVersion",
      v.wrapped_data_key AS "wrappedDataKey", s.project, s.path
    FROM secret_version v JOIN secret s ON s.organisation = v.organisation AND s.id = v.secret_id
    WHERE v.organisation = ${organisation} AND (v.secret_id, v.number) IN (${Prisma.join(places)})
    ORDER BY v.secret_id, v.number`;
}

interface Rewrapped extends Position {
  readonly wrappedDataKey: Uint8Array;
}

async function rewrapAll(
  operation: Operation,
  key: KmsKeyRow,
  to: UsableKey,
  rows: readonly OlderVersion[],
): Promise<readonly Rewrapped[]> {
  const generations = new Map<number, UsableKey>();
  for (const number of new Set(rows.map((row) => row.kmsKeyVersion))) {
    generations.set(number, await usableKey(operation, key, number));
  }
  const rewrapped: Rewrapped[] = [];
  let unopened = 0;
  await operation.keys.each(rows, async ({ secretId, number, ...row }) => {
    const from = generations.get(row.kmsKeyVersion);
    if (!from) throw new Error('A generation was not loaded.');
    const secret = { ...row, organisation: key.organisation, id: secretId, kmsKeyIdentity: key.identity };
    const context = envelopeContext(secret, operation.region.name, number, row.valueFormat);
    try {
      const wrappedDataKey = await useKey(key.identity, () =>
        rewrapDataKey(
          to.bound,
          { generation: from.generation, context },
          { generation: to.generation, context },
          row.wrappedDataKey,
        ),
      );
      rewrapped.push({ secretId, number, wrappedDataKey });
    } catch (error) {
      if (!(error instanceof DecryptionFailedError)) throw error;
      unopened++;
    }
  });
  if (unopened > 0) operation.event.details['unopened'] = String(unopened);
  return rewrapped;
}

async function writeAll(
  { tx }: Operation,
  key: KmsKeyRow,
  kmsKeyVersion: number,
  rewrapped: readonly Rewrapped[],
): Promise<void> {
  if (rewrapped.length === 0) return;
  const rows = rewrapped.map(
    ({ secretId, number, wrappedDataKey }) =>
      Prisma.sql`(${secretId}::uuid, ${number}::int, ${new Uint8Array(wrappedDataKey)}::bytea)`,
  );
  await tx.$executeRaw`
    UPDATE secret_version v SET wrapped_data_key = r.wrapped, kms_key_version = ${kmsKeyVersion}
    FROM (VALUES ${Prisma.join(rows)}) AS r (secret_id, number, wrapped)
    WHERE v.organisation = ${key.organisation} AND v.secret_id = r.secret_id AND v.number = r.number`;
}
