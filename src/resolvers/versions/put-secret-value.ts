import { zeroEntries } from '../../kms/envelope/envelope.ts';
import { parseSecretPath } from '../../policy/secret-path.ts';
import type { RequestContext } from '../context/request-context.ts';
import { parseIdempotencyKey } from '../input/parse-idempotency-key.ts';
import { parseSecretValue, type SecretValueInput } from '../input/parse-secret-value.ts';
import { parseExpected } from '../input/parse-version-number.ts';
import { regionOf } from '../input/region-of.ts';
import { requireAccessPolicy, requireKeyUse } from '../operation/authorise.ts';
import { EventDraft } from '../operation/event-draft.ts';
import { claimIdempotencyKey } from '../operation/idempotency.ts';
import { operateByStatements } from '../operation/operate-by-statements.ts';
import { lockLiveSecret } from '../rows/lock-live-secret.ts';
import { replayed } from '../rows/replayed.ts';
import type { SecretVersionPayload } from '../rows/secret-types.ts';
import { appendVersion } from './append-version.ts';

export interface PutSecretValueInput {
  readonly path: string;
  readonly region?: string | null;
  readonly value: SecretValueInput;
  readonly expectedVersion?: number | null;
  readonly idempotencyKey?: string | null;
}

/** Writes the next version of a secret, which becomes the current one. */
export async function putSecretValue(
  ctx: RequestContext,
  input: PutSecretValueInput,
): Promise<SecretVersionPayload> {
  const region = regionOf(ctx, input.region, ['input', 'region']);
  const path = parseSecretPath(input.path, ['input', 'path']);
  const expectedVersion = parseExpected(input.expectedVersion, ['input', 'expectedVersion']);
  const idempotencyKey = parseIdempotencyKey(input.idempotencyKey, ['input', 'idempotencyKey']);
  const content = parseSecretValue(input.value, ['input', 'value']);
  const draft = () => new EventDraft('secret.putValue', 'secret', path);
  try {
    return await operateByStatements(ctx, region, draft, async (operation) => {
      const secret = await lockLiveSecret(operation, 'SECRET_PUT_VALUE', path);
      requireKeyUse(operation, secret);
      requireAccessPolicy(operation, 'SECRET_PUT_VALUE', secret);
      const first = await claimIdempotencyKey(operation, idempotencyKey, input, secret.id);
      if (first) return replayed(operation, first);
      return appendVersion(operation, secret, { expectedVersion, idempotencyKey }, () =>
        Promise.resolve(content),
      );
    });
  } finally {
    zeroEntries(content.entries);
  }
}
