import type { SecretRow } from '../../db/secret-row.ts';
import { ConflictError, InvalidInputError } from '../../errors.ts';
import { parseSecretPath } from '../../policy/secret-path.ts';
import type { RequestContext } from '../context/request-context.ts';
import { parseDescription } from '../input/parse-description.ts';
import { type LabelInput, parseAnnotations, parseLabels } from '../input/parse-labels.ts';
import { parseExpected } from '../input/parse-version-number.ts';
import { regionOf } from '../input/region-of.ts';
import { EventDraft } from '../operation/event-draft.ts';
import { operate } from '../operation/operate.ts';
import { lockLiveSecret } from '../rows/lock-live-secret.ts';
import { type SecretPayload, secretPayload } from '../rows/secret-types.ts';

export interface UpdateSecretInput {
  readonly path: string;
  readonly region?: string | null;
  readonly description?: string | null;
  readonly labels?: readonly LabelInput[] | null;
  readonly annotations?: readonly LabelInput[] | null;
  readonly expectedObjectVersion?: number | null;
}

/** Changes what is given and leaves the rest; a null description clears it, an empty list clears a list. */
export async function updateSecret(ctx: RequestContext, input: UpdateSecretInput): Promise<SecretPayload> {
  const region = regionOf(ctx, input.region, ['input', 'region']);
  const path = parseSecretPath(input.path, ['input', 'path']);
  const expected = parseExpected(input.expectedObjectVersion, ['input', 'expectedObjectVersion']);
  const changes = parseChanges(input);
  const draft = () => new EventDraft('secret.update', 'secret', path);
  return operate(ctx, region, draft, async (operation) => {
    const { tx, event, at } = operation;
    const secret = await lockLiveSecret(operation, 'SECRET_UPDATE', path);
    requireObjectVersion(secret, expected);
    event.details['changed'] = Object.keys(changes).join(', ');
    if (Object.keys(changes).length === 0) return secretPayload(operation, region, secret);
    const state = { ...changes, objectVersion: secret.objectVersion + 1, updatedAt: at };
    const { description, labels, annotations } = { ...secret, ...changes };
    // Not through the client, which drops a label named __proto__.
    await tx.$executeRaw`
      UPDATE secret SET description = ${description}, labels = ${JSON.stringify(labels)}::jsonb,
        annotations = ${JSON.stringify(annotations)}::jsonb, object_version = ${state.objectVersion}, updated_at = ${at}
      WHERE organisation = ${secret.organisation} AND id = ${secret.id}::uuid`;
    return secretPayload(operation, region, { ...secret, ...state });
  });
}

export function requireObjectVersion(secret: SecretRow, expected: number | null): void {
  if (expected !== null && expected !== secret.objectVersion) {
    throw new ConflictError('objectVersion', expected, secret.objectVersion);
  }
}

function parseChanges(input: UpdateSecretInput) {
  return {
    ...(input.description !== undefined && {
      description: parseDescription(input.description, ['input', 'description']),
    }),
    ...(input.labels !== undefined && {
      labels: parseLabels(required(input.labels, 'labels'), ['input', 'labels']),
    }),
    ...(input.annotations !== undefined && {
      annotations: parseAnnotations(required(input.annotations, 'annotations'), ['input', 'annotations']),
    }),
  };
}

function required<T>(list: readonly T[] | null, name: string): readonly T[] {
  if (list === null)
    throw new InvalidInputError(['input', name], 'A list is cleared with [], not with null.');
  return list;
}
