import { Prisma } from '../../db/generated/client.ts';
import { InvalidInputError } from '../../errors.ts';
import { parseFolderPath } from '../../policy/secret-path.ts';
import type { RequestContext } from '../context/request-context.ts';
import type { Connection } from '../input/connection.ts';
import { parseDateTime } from '../input/parse-date-time.ts';
import { type LabelInput, parseLabels } from '../input/parse-labels.ts';
import type { PageArguments } from '../input/parse-page.ts';
import { regionOf } from '../input/region-of.ts';
import { requireCleanText } from '../input/require-clean-text.ts';
import type { Secret } from '../rows/secret-types.ts';
import { listSecrets, type SecretOrder } from './list-secrets.ts';

export interface SecretFilter {
  readonly pathPrefix?: string | null;
  readonly labels?: readonly LabelInput[] | null;
  readonly kmsKeyIdentity?: string | null;
  readonly notAccessedSince?: string | null;
  readonly search?: string | null;
}

export interface SecretsArguments extends PageArguments {
  readonly region?: string | null;
  readonly filter?: SecretFilter | null;
  readonly orderBy?: SecretOrder | null;
}

const MAX_SEARCH_CHARACTERS = 256;

/** The live secrets of the caller's scope that it may find, filtered, by path unless another order is asked for. */
export function secrets(ctx: RequestContext, args: SecretsArguments): Promise<Connection<Secret>> {
  const region = regionOf(ctx, args.region, ['region']);
  const { pathPrefix } = args.filter ?? {};
  const folder = pathPrefix == null ? '/' : parseFolderPath(pathPrefix, ['filter', 'pathPrefix']);
  const order = args.orderBy ?? { field: 'PATH', direction: 'ASC' };
  const among = Prisma.sql`s.deleted_at IS NULL`;
  return listSecrets(ctx, region, { among, conditions: conditions(args.filter ?? {}), folder, order }, args);
}

function conditions(filter: SecretFilter): Prisma.Sql[] {
  const { labels, kmsKeyIdentity, notAccessedSince, search } = filter;
  const found: Prisma.Sql[] = [];
  if (labels != null) {
    const wanted = JSON.stringify(parseLabels(labels, ['filter', 'labels']));
    found.push(Prisma.sql`s.labels @> ${wanted}::jsonb`);
  }
  if (kmsKeyIdentity != null) {
    requireCleanText(kmsKeyIdentity, ['filter', 'kmsKeyIdentity'], 'line');
    found.push(Prisma.sql`s.kms_key_identity = ${kmsKeyIdentity}`);
  }
  if (notAccessedSince != null) {
    const since = parseDateTime(notAccessedSince, ['filter', 'notAccessedSince']);
    found.push(Prisma.sql`(a.last_accessed_at IS NULL OR a.last_accessed_at < ${since})`);
  }
  if (search != null) {
    const pattern = `%${parseSearch(search).replace(/[\\%_]/g, '\\$&')}%`;
    found.push(Prisma.sql`(s.path ILIKE ${pattern} OR s.description ILIKE ${pattern})`);
  }
  return found;
}

function parseSearch(text: string): string {
  const field = ['filter', 'search'];
  if (text.length < 1 || text.length > MAX_SEARCH_CHARACTERS) {
    throw new InvalidInputError(field, `A search has 1 to ${MAX_SEARCH_CHARACTERS} characters.`);
  }
  requireCleanText(text, field, 'line');
  return text;
}
