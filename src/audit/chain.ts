import { hash } from 'node:crypto';
import type { AuditOutcome } from './event.ts';

/** One event as it stands in the chain, before its hash. */
export interface ChainLink {
  readonly organisation: string;
  readonly region: string;
  readonly sequence: bigint;
  readonly id: string;
  readonly at: Date;
  readonly action: string;
  readonly outcome: AuditOutcome;
  readonly errorCode: string | null;
  readonly project: string;
  readonly actorSubject: string;
  readonly actorIssuer: string;
  readonly actorRoles: readonly string[];
  readonly resourceType: string;
  readonly resource: string | null;
  readonly resourceId: string | null;
  readonly version: number | null;
  readonly causedBy: bigint | null;
  readonly requestId: string;
  readonly sourceIp: string | null;
  readonly userAgent: string | null;
  readonly details: Readonly<Record<string, string>>;
}

/** What the first event of an organisation and region points back to. */
export function genesisHash(organisation: string, region: string): Buffer {
  return sha256(['strongroom/audit-genesis/1', organisation, region]);
}

/**
 * SHA-256 over the previous event's hash and every field of this one, in the order written here: a JSON array of strings
 * and nulls, lists and details as arrays of their own (details sorted by name), the time in RFC 3339 with milliseconds,
 * numbers in decimal.
 */
export function linkHash(link: ChainLink, previousHash: Uint8Array): Buffer {
  return sha256([
    'strongroom/audit-event/1',
    Buffer.from(previousHash.buffer, previousHash.byteOffset, previousHash.byteLength).toString('hex'),
    link.organisation,
    link.region,
    link.sequence.toString(),
    link.id,
    link.at.toISOString(),
    link.action,
    link.outcome,
    link.errorCode,
    link.project,
    link.actorSubject,
    link.actorIssuer,
    link.actorRoles,
    link.resourceType,
    link.resource,
    link.resourceId,
    link.version?.toString() ?? null,
    link.causedBy?.toString() ?? null,
    link.requestId,
    link.sourceIp,
    link.userAgent,
    Object.entries(link.details).sort(([a], [b]) => (a < b ? -1 : 1)),
  ]);
}

function sha256(fields: readonly unknown[]): Buffer {
  return hash('sha256', JSON.stringify(fields), 'buffer');
}
