import { randomBytes } from 'node:crypto';
import {
  AccessDeniedError,
  AlreadyExistsError,
  InvalidInputError,
  KeyUnavailableError,
} from '../../errors.ts';
import type { BoundKey } from '../../kms/envelope/envelope.ts';
import {
  ExternalKeyError,
  type KmsKeyGeneration,
  type KmsKeyType,
  type KmsProvider,
} from '../../kms/provider.ts';
import type { Region, RequestContext } from '../context/request-context.ts';
import { parseDescription } from '../input/parse-description.ts';
import { parseIdempotencyKey } from '../input/parse-idempotency-key.ts';
import { regionOf } from '../input/region-of.ts';
import { decisionOn, kmsKeyOf } from '../operation/authorise.ts';
import { EventDraft } from '../operation/event-draft.ts';
import { claimIdempotencyKey, rememberResult } from '../operation/idempotency.ts';
import { operate } from '../operation/operate.ts';
import type { Operation } from '../operation/operation.ts';
import { findKmsKey, type KmsKey, useKey } from '../rows/usable-key.ts';
import { type KmsKeyPayload, kmsKeyPayload } from './change-kms-key.ts';
import { writeGeneration } from './key-generation.ts';
import { nextRotation, parseRotationPeriod } from './rotation-period.ts';

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

const NAME = /^[A-Za-z0-9_.+-]{1,128}$/;

interface NewKey {
  readonly identity: string;
  readonly name: string;
  readonly description: string | null;
  readonly keyType: KmsKeyType;
  readonly provider: KmsProvider;
  readonly externalKeyId: string | null;
  readonly rotationPeriodDays: number | null;
}

/** Creates a KMS key with its first version in the caller's scope. */
export async function createKmsKey(ctx: RequestContext, input: CreateKmsKeyInput): Promise<KmsKeyPayload> {
  const region = regionOf(ctx, input.region, ['input', 'region']);
  const wanted = parseKey(ctx, region, input);
  const { identity } = wanted;
  const idempotencyKey = parseIdempotencyKey(input.idempotencyKey, ['input', 'idempotencyKey']);
  const draft = () => new EventDraft('kms.createKey', 'kms-key');
  return operate(ctx, region, draft, async (operation) => {
    const { event } = operation;
    event.details['name'] = wanted.name;
    const decision = decisionOn(operation, 'KMS_KEY_CREATE', kmsKeyOf(identity));
    if (!decision.allowed)
      throw event.deny('KMS_KEY_CREATE', decision.reason, new AccessDeniedError('KMS_KEY_CREATE'));
    const first = await claimIdempotencyKey(operation, idempotencyKey, input);
    if (first) return replay(operation, first.resourceId);
    const key = await insertKey(operation, wanted);
    event.resource = identity;
    const bound = operation.keys.bind(wanted.provider, { ...key, region: region.name });
    await writeGeneration(operation, key, await firstGeneration(bound));
    await rememberResult(operation, idempotencyKey, { resourceId: identity, version: null });
    return kmsKeyPayload(operation, key);
  });
}

/** `kms-` and 20 characters of base32hex (RFC 4648, section 7, in lower case): 100 random bits. */
export function newKmsKeyIdentity(): string {
  return `kms-${Array.from(randomBytes(20), (byte) => (byte & 31).toString(32)).join('')}`;
}

async function insertKey({ ctx, tx, at }: Operation, wanted: NewKey): Promise<KmsKey> {
  const { organisation, project, subject, issuer } = ctx.principal;
  const { identity, provider, externalKeyId, rotationPeriodDays, ...given } = wanted;
  const { count } = await tx.kmsKey.createMany({
    data: [
      {
        ...{ organisation, identity, project, ...given, provider: provider.name, externalKeyId },
        ...{ latestVersion: 1, rotationPeriodDays, nextRotationAt: nextRotation(rotationPeriodDays, at) },
        ...{ createdAt: at, createdBySubject: subject, createdByIssuer: issuer },
      },
    ],
    skipDuplicates: true,
  });
  if (count === 0) {
    const bound = externalKeyId !== null && { provider: provider.name, externalKeyId };
    const isBound = bound && (await tx.kmsKey.count({ where: bound })) > 0;
    throw new AlreadyExistsError(isBound ? 'externalKey' : 'kmsKeyName');
  }
  return tx.kmsKey.findUniqueOrThrow({ where: { organisation_identity: { organisation, identity } } });
}

function firstGeneration({ provider, reference }: BoundKey): Promise<KmsKeyGeneration> {
  return useKey(reference.identity, async () => {
    try {
      return await provider.create(reference);
    } catch (error) {
      if (!(error instanceof ExternalKeyError)) throw error;
      const rule =
        'The provider has no such key, or it is not fit for use: its type, its algorithm or its rights.';
      throw new InvalidInputError(['input', 'externalKeyId'], rule);
    }
  });
}

async function replay(operation: Operation, identity: string): Promise<KmsKeyPayload> {
  const { ctx, tx, event } = operation;
  const key = await findKmsKey(tx, ctx.principal, identity);
  if (!key) throw new KeyUnavailableError(identity);
  event.resource = identity;
  return kmsKeyPayload(operation, key);
}

function parseKey(ctx: RequestContext, region: Region, input: CreateKmsKeyInput): NewKey {
  if (!NAME.test(input.name)) {
    throw new InvalidInputError(
      ['input', 'name'],
      'The name of a KMS key is 1 to 128 of A-Z a-z 0-9 _ . + -',
    );
  }
  const provider = region.providers.get(input.provider ?? 'local');
  if (!provider) {
    const names = [...region.providers.keys()].join(', ');
    throw new InvalidInputError(['input', 'provider'], `There is no such provider; there is ${names}.`);
  }
  if (!provider.keyTypes.includes(input.keyType)) {
    const rule = `The keys of this provider are ${provider.keyTypes.join(' or ')}.`;
    throw new InvalidInputError(['input', 'keyType'], rule);
  }
  return {
    ...{ identity: newKmsKeyIdentity(), name: input.name, keyType: input.keyType, provider },
    description: parseDescription(input.description, ['input', 'description']),
    externalKeyId: parseExternalKeyId(ctx, region, provider, input.externalKeyId ?? null),
    rotationPeriodDays: parseRotationPeriod(input.rotationPeriodDays, ['input', 'rotationPeriodDays']),
  };
}

/** Only what the operator has given to the organisation; whether there is more at the provider is told to nobody. */
function parseExternalKeyId(
  ctx: RequestContext,
  region: Region,
  provider: KmsProvider,
  externalKeyId: string | null,
): string | null {
  const refuse = (rule: string) => new InvalidInputError(['input', 'externalKeyId'], rule);
  if (!provider.remote) {
    if (externalKeyId === null) return null;
    throw refuse('Keys of this provider are made here: leave it out.');
  }
  if (externalKeyId === null) throw refuse('Keys of this provider live outside: name the one to bind.');
  if (region.mayBind(provider.name, ctx.principal.organisation, externalKeyId)) return externalKeyId;
  throw refuse('The operator has not given this external key to the organisation.');
}
