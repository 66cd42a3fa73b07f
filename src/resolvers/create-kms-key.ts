import { randomBytes } from 'node:crypto';
import { AccessDeniedError, AlreadyExistsError, InvalidInputError, KeyUnavailableError } from '../errors.ts';
import type { KmsKeyType, KmsProvider } from '../kms/provider.ts';
import { decisionOn, kmsKeyOf, may } from './authorise.ts';
import { EventDraft } from './event-draft.ts';
import { claimIdempotencyKey, rememberResult } from './idempotency.ts';
import { parseDescription } from './input/parse-description.ts';
import { parseIdempotencyKey } from './input/parse-idempotency-key.ts';
import { regionOf } from './input/region-of.ts';
import { type Operation, operate } from './operate.ts';
import { findKmsKey } from './usable-key.ts';
import type { Region, RequestContext } from './request-context.ts';
import type { KmsKey } from './secret-types.ts';

export interface CreateKmsKeyInput {
  readonly name: string;
  readonly region?: string | null;
  readonly description?: string | null;
  readonly keyType: KmsKeyType;
  readonly provider?: string | null;
  readonly externalKeyId?: string | null;
  readonly rotationPeriodDays?: number | null;
  readonly idempotencyKey?: string | null;
}

/** `kmsKey` is null for a caller without KMS_KEY_READ on it. */
export interface KmsKeyPayload {
  readonly kmsKey: KmsKey | null;
}

const NAME = /^[A-Za-z0-9_.+-]{1,128}$/;
const ROTATION_DAYS = { least: 1, most: 3650 };
const DAY_MS = 24 * 60 * 60 * 1000;

/** Creates a KMS key with its first version in the caller's scope. */
export async function createKmsKey(ctx: RequestContext, input: CreateKmsKeyInput): Promise<KmsKeyPayload> {
  const region = regionOf(ctx, input.region, ['input', 'region']);
  const provider = parseProvider(region, input);
  if (!NAME.test(input.name)) {
    throw new InvalidInputError(
      ['input', 'name'],
      'The name of a KMS key is 1 to 128 of A-Z a-z 0-9 _ . + -',
    );
  }
  const description = parseDescription(input.description, ['input', 'description']);
  const rotationPeriodDays = parseRotationPeriod(input.rotationPeriodDays);
  const idempotencyKey = parseIdempotencyKey(input.idempotencyKey, ['input', 'idempotencyKey']);
  const draft = () => new EventDraft('kms.createKey', 'kms-key');
  return operate(ctx, region, draft, async (operation) => {
    const { tx, event, at } = operation;
    const identity = newKmsKeyIdentity();
    event.details['name'] = input.name;
    const decision = decisionOn(operation, 'KMS_KEY_CREATE', kmsKeyOf(identity));
    if (!decision.allowed)
      throw event.deny('KMS_KEY_CREATE', decision.reason, new AccessDeniedError('KMS_KEY_CREATE'));
    const first = await claimIdempotencyKey(operation, idempotencyKey, input);
    if (first) return replay(operation, first.resourceId);
    const { organisation, project, subject, issuer } = ctx.principal;
    const { count } = await tx.kmsKey.createMany({
      data: [
        {
          ...{ organisation, identity, project, name: input.name, description, keyType: input.keyType },
          ...{ provider: provider.name, latestVersion: 1, rotationPeriodDays, createdAt: at },
          nextRotationAt:
            rotationPeriodDays === null ? null : new Date(at.getTime() + rotationPeriodDays * DAY_MS),
          createdBySubject: subject,
          createdByIssuer: issuer,
        },
      ],
      skipDuplicates: true,
    });
    if (count === 0) throw new AlreadyExistsError('kmsKeyName');
    event.resource = identity;
    const key = await tx.kmsKey.findUniqueOrThrow({
      where: { organisation_identity: { organisation, identity } },
    });
    const { number, wrappedMaterial, rootKeyId, externalVersion } = await provider.create({
      ...key,
      region: region.name,
    });
    await tx.kmsKeyVersion.create({
      data: {
        ...{ organisation, kmsKeyIdentity: identity, number, rootKeyId, externalVersion, createdAt: at },
        wrappedMaterial: wrappedMaterial && new Uint8Array(wrappedMaterial),
      },
    });
    await rememberResult(operation, idempotencyKey, { resourceId: identity, version: null });
    return payload(operation, key);
  });
}

/** `kms-` and 20 characters of base32hex (RFC 4648, section 7, in lower case): 100 random bits. */
export function newKmsKeyIdentity(): string {
  return `kms-${Array.from(randomBytes(20), (byte) => (byte & 31).toString(32)).join('')}`;
}

async function replay(operation: Operation, identity: string): Promise<KmsKeyPayload> {
  const { ctx, tx, event } = operation;
  const key = await findKmsKey(tx, ctx.principal, identity);
  if (!key) throw new KeyUnavailableError(identity);
  event.resource = identity;
  return payload(operation, key);
}

function payload(operation: Operation, key: Omit<KmsKey, 'region'>): KmsKeyPayload {
  const { region } = operation;
  return { kmsKey: may(operation, 'KMS_KEY_READ', kmsKeyOf(key.identity)) ? { ...key, region } : null };
}

function parseProvider(region: Region, input: CreateKmsKeyInput): KmsProvider {
  const provider = region.providers.get(input.provider ?? 'local');
  if (!provider) {
    const names = [...region.providers.keys()].join(', ');
    throw new InvalidInputError(['input', 'provider'], `There is no such provider; there is ${names}.`);
  }
  if (input.externalKeyId != null) {
    throw new InvalidInputError(
      ['input', 'externalKeyId'],
      'Keys of this provider are made here: leave it out.',
    );
  }
  return provider;
}

function parseRotationPeriod(days: number | null | undefined): number | null {
  if (days == null) return null;
  if (days >= ROTATION_DAYS.least && days <= ROTATION_DAYS.most) return days;
  const rule = `A rotation period has ${ROTATION_DAYS.least} to ${ROTATION_DAYS.most} days.`;
  throw new InvalidInputError(['input', 'rotationPeriodDays'], rule);
}
