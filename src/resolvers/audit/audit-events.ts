import { AUDIT_ACTIONS } from '../../audit/event.ts';
import type { AuditEventCriteria } from '../../db/audit/audit-event-criteria.ts';
import { findAuditEvents } from '../../db/audit/find-audit-events.ts';
import { type FieldPath, InvalidInputError } from '../../errors.ts';
import { parseFolderPath } from '../../policy/secret-path.ts';
import type { RequestContext } from '../context/request-context.ts';
import { type Connection, connectionOf } from '../input/connection.ts';
import { parseDateTime } from '../input/parse-date-time.ts';
import { type Cursor, type PageArguments, parsePage } from '../input/parse-page.ts';
import { regionOf } from '../input/region-of.ts';
import { requireCleanText } from '../input/require-clean-text.ts';
import { requireAuditRead } from './audit-access.ts';
import type { AuditEvent } from './audit-event.ts';

export interface AuditEventFilter {
  readonly actions?: readonly string[] | null;
  readonly outcome?: AuditEventCriteria['outcome'];
  readonly subject?: string | null;
  readonly issuer?: string | null;
  readonly resource?: string | null;
  readonly pathPrefix?: string | null;
  readonly requestId?: string | null;
  readonly since?: string | null;
  readonly until?: string | null;
}

const MAX_TEXT_CHARACTERS = 2_048;

/**
 * The events of the caller's scope, in organisation scope those of all its projects, newest first. Cursors are sequences:
 * what arrives meanwhile stands before the first page and moves nothing.
 */
export async function auditEvents(
  ctx: RequestContext,
  args: PageArguments & { readonly region?: string | null; readonly filter?: AuditEventFilter | null },
): Promise<Connection<AuditEvent>> {
  const region = regionOf(ctx, args.region, ['region']);
  await requireAuditRead(ctx, region);
  const { organisation, project } = ctx.principal;
  // Of one scope and region: a cursor of another log would silently begin somewhere.
  const list = `audit-events:${region.name}:${organisation}:${project}`;
  const page = parsePage(args, list, isSequence);
  const criteria = { organisation, project: project || null, ...parseFilter(args.filter ?? {}) };
  const events = await findAuditEvents(region.db.client, criteria, {
    above: sequenceOf(page.before),
    below: sequenceOf(page.after),
    ascending: page.backward,
    limit: page.limit + 1,
  });
  return connectionOf(page, list, events, ({ sequence }) => [Number(sequence)]);
}

function parseFilter(filter: AuditEventFilter): Omit<AuditEventCriteria, 'organisation' | 'project'> {
  const text = (name: 'subject' | 'issuer' | 'resource' | 'requestId') =>
    parseText(filter[name], ['filter', name]);
  const time = (name: 'since' | 'until') =>
    filter[name] == null ? null : parseDateTime(filter[name], ['filter', name]);
  const criteria = {
    actions: parseActions(filter.actions, ['filter', 'actions']),
    outcome: filter.outcome ?? null,
    subject: text('subject'),
    issuer: text('issuer'),
    resource: text('resource'),
    folder: filter.pathPrefix == null ? null : parseFolderPath(filter.pathPrefix, ['filter', 'pathPrefix']),
    requestId: text('requestId'),
    since: time('since'),
    until: time('until'),
  };
  if (criteria.since && criteria.until && criteria.since > criteria.until) {
    throw new InvalidInputError(['filter', 'until'], 'until is not before since.');
  }
  return criteria;
}

function parseActions(
  names: readonly string[] | null | undefined,
  field: FieldPath,
): readonly string[] | null {
  if (names == null) return null;
  if (names.length === 0)
    throw new InvalidInputError(field, 'Give at least one action, or leave actions out.');
  names.forEach((name, index) => {
    if (!(AUDIT_ACTIONS as readonly string[]).includes(name)) {
      throw new InvalidInputError([...field, String(index)], 'There is no such action: see docs/audit.md.');
    }
  });
  return [...new Set(names)];
}

function parseText(text: string | null | undefined, field: FieldPath): string | null {
  if (text == null) return null;
  if (text.length < 1 || text.length > MAX_TEXT_CHARACTERS) {
    throw new InvalidInputError(field, `The text has 1 to ${MAX_TEXT_CHARACTERS} characters.`);
  }
  requireCleanText(text, field, 'line');
  return text;
}

function isSequence(parts: readonly unknown[]): boolean {
  return parts.length === 1 && Number.isSafeInteger(parts[0]) && Number(parts[0]) >= 0;
}

function sequenceOf(cursor: Cursor | null): bigint | null {
  return cursor && BigInt(cursor[0] ?? 0);
}
